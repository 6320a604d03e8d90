/** Loaded before all tests: onnxruntime must not report to its maker from a test run either. */
process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
