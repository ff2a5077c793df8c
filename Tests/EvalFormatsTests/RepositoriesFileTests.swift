import EvalFormats
import Testing

@Suite struct RepositoriesFileTests {
    private func parse(_ text: String) throws -> [RepositoriesFile.Repository] {
        try RepositoriesFile.parse(Array(text.utf8), file: "repositories.yaml").repositories
    }

    @Test func fields() throws {
        let found = try parse(
            """
            - repo: acme/benchmark
              ref: main
            - repo: https://git.example.com/tasks
              ref: ""
              secretRef: {namespace: team, name: token}
              intervalSeconds: 300
            """)
        #expect(found.map(\.repo) == ["acme/benchmark", "https://git.example.com/tasks"])
        #expect(found.map(\.ref) == ["main", nil] && found.map(\.intervalSeconds) == [RepositoriesFile.defaultInterval, 300])
        #expect(found[0].secret == nil && found[1].secret?.namespace == "team" && found[1].secret?.name == "token")
        #expect(try parse("").isEmpty && parse("[]").isEmpty)
    }

    @Test(
        "what is wrong is named with its place",
        arguments: [
            ("repo: a/b", "repositories.yaml: must be a list of repositories, not an object"),
            ("- a/b", "repositories.yaml: [0]: must be an object"),
            ("- ref: main", "repositories.yaml: [0].repo: is required"),
            ("- {repo: a/b, ref: 1.10}", "repositories.yaml: [0].ref: must be a string, not a number"),
            ("- {repo: a/b, branch: main}", "repositories.yaml: [0].branch: is no field"),
            ("- {repo: a/b, intervalSeconds: 0}", "repositories.yaml: [0].intervalSeconds: must be at least 1, not 0"),
            ("- {repo: a/b, secretRef: {name: x}}", "repositories.yaml: [0].secretRef.namespace: is required"),
            ("- {repo: a/b, secretRef: {namespace: x, name: y, key: z}}", "repositories.yaml: [0].secretRef.key: is no field"),
            ("- repo: a/b\n- repo: a/b", "repositories.yaml: [1].repo: \"a/b\" is given twice"),
            ("- [", "repositories.yaml: line"),
        ])
    func mistakes(text: String, message: String) throws {
        #expect { try parse(text) } throws: { "\($0)".contains(message) }
    }
}
