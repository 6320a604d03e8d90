"""Requests a second that SimPy works off: servers SERVERS, utilisation, mean service time in ms, requests, rounds."""

import random
import statistics
import sys
import time

import simpy

servers, requests, rounds = int(sys.argv[1]), int(sys.argv[4]), int(sys.argv[5])
utilisation, service_ms = float(sys.argv[2]), float(sys.argv[3])


def request(env, resource, rng, waits):
    arrived = env.now
    with resource.request() as turn:
        yield turn
        yield env.timeout(rng.expovariate(1 / service_ms))
    waits.append(env.now - arrived)


def source(env, resource, rng, waits):
    rate = utilisation * servers / service_ms
    for _ in range(requests):
        yield env.timeout(rng.expovariate(rate))
        env.process(request(env, resource, rng, waits))


rates = []
for seed in range(rounds):
    rng, waits = random.Random(seed), []
    env = simpy.Environment()
    env.process(source(env, simpy.Resource(env, capacity=servers), rng, waits))
    start = time.perf_counter()
    env.run()
    rates.append(requests / (time.perf_counter() - start))
    assert len(waits) == requests
print(statistics.median(rates))
