/// EvalJobs as text, in the shape that users write.
enum JobFiles {
    static func job(
        _ name: String, datasets: String = "[{path: tasks}]", agents: String = "[{name: oracle}]", attempts: Int = 1, parallelism: Int = 4,
        source: String = "benchmark", extra: String = ""
    ) -> String {
        """
        apiVersion: assay.dev/v1alpha1
        kind: EvalJob
        metadata: {name: \(name)}
        spec:
          source: {repo: \(source)}
          datasets: \(datasets)
          agents: \(agents)
          attempts: \(attempts)
          parallelism: \(parallelism)
          environment: {image: "rootfs:/"}
          artifacts: {backend: git, git: {remote: results.git}}
        \(extra)
        """
    }

    /// Solves hello-world and wrong-answer, fails on what it can, is stopped where a task stops it.
    static let scripted = """
        [{name: oracle}, {name: scripted, model: none, install: "echo installed > /tmp/installed", \
        execute: "test -e /tmp/installed; echo working on it; echo 'Hello, world!' > hello.txt", env: [{name: GREETING, value: hi}]}]
        """
}
