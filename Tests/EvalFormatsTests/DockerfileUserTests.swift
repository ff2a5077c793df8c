import EvalFormats
import Testing

@Suite("The user of a Dockerfile")
struct DockerfileUserTests {
    @Test(
        "the last USER of the last stage, as far as it is a fixed text",
        arguments: [
            ("FROM a\nUSER app\n", "app"), ("FROM a\nUSER app\nFROM b\n", nil), ("FROM a\nUSER root\n  user 1000:1000\n", "1000:1000"),
            ("FROM a\n", nil),
            ("FROM a\nARG U\nUSER $U\n", nil), ("from a\r\nUSER app\r\nRUN USER x\r\n", "app"), ("# USER x\nFROM a\n", nil),
            ("FROM --platform=linux/amd64 a AS Base\nUSER app\nFROM b\nFROM base\nRUN x\n", "app"),
            ("FROM a AS s\nUSER app\nFROM s AS t\nUSER $U\nFROM t\n", nil),
            ("FROM a\nUSER app\nRUN echo \\\n# a comment\n  USER x\n", "app"),
        ] as [(String, String?)])
    func user(text: String, expected: String?) async throws {
        let folder = ListedTaskFolder(
            paths: ["tests/test.sh", "instruction.md"],
            files: ["task.toml": Array("schema_version = \"1.4\"\n[verifier]\nuser = 'root'\n".utf8), "environment/Dockerfile": Array(text.utf8)])
        #expect(try await TaskReader.load(name: "t", from: folder).task.environment.imageUser == expected)
    }
}
