import type { NewPipeline } from "./pipeline-text.ts";

/** What comes next, for what was written. */
export function readmeText({ name, stages }: NewPipeline, measured: boolean): string {
  const isServed = stages.some(({ models }) => models.some(({ source }) => source.kind === "served"));
  const variants = stages.map(stage => `- ${stage.name}: ${stage.models.map(model => model.name).join(", ")}`);
  return `# ${name}

Stages and the variants that can serve them:

${variants.join("\n")}

${isServed ? servedSteps(measured) : fileSteps(name)}
Then look at \`pipeline.yaml\`: the SLO, the order of the stages (\`dependsOn\`), their cores and replicas, and \`mode\`: in
\`shadow\` it only says what it would do, in \`active\` it acts. Until accuracies are known
all variants count as always right, and the lightest is chosen: write \`accuracy: 0.93\` beside a variant's name, or give \`index.mjs\` an
\`evaluation\`, with which \`variscale profile\` measures them. Write \`index.mjs\` for what the pipeline is for.
`;
}

function fileSteps(name: string): string {
  return `Measure how long the variants take, ask for a plan, and serve, in this folder:

\`\`\`sh
variscale validate .
variscale profile .
variscale plan . --rps 5
variscale up .
\`\`\`

A request is a POST to http://127.0.0.1:8090/v1/pipelines/default/${name}; \`index.mjs\` says of what. \`variscale top\` shows what it does.
`;
}

function servedSteps(measured: boolean): string {
  const plan = "```sh\nvariscale plan . --rps 5\n```\n";
  const how = measured
    ? `The service times in \`pipeline.yaml\` were measured over HTTP, one request at a time. Ask for a plan, in this folder:\n\n${plan}`
    : `How long the variants take is not known yet. Measure the server, which sends it requests of zeros, and ask for a plan, in this folder:\n\n\`\`\`sh\nvariscale init . --from-v2 URL --measure --force\nvariscale plan . --rps 5\n\`\`\`\n`;
  return `${how}
In Kubernetes the server runs in the pod of a switcher, which finds it at the \`url\` of each variant; \`POST /admin/v1/profile\` of the switcher
measures it there, and \`variscale profile .\` where the server answers at that \`url\` on this machine.
`;
}
