import Registry
import Testing

@Suite struct ImageRepositoryTests {
    @Test(
        "a repository names a host and a path",
        arguments: [
            ("registry.example.com/team/tasks", "registry.example.com/team/tasks", true), ("localhost/tasks", "localhost/tasks", true),
            ("http://registry:5000/tasks", "registry:5000/tasks", false), ("https://a.b/c/", "a.b/c", true),
            ("docker.io/library/x", "docker.io/library/x", true), ("registry.example.com", "registry.example.com/assay-tasks", true),
        ])
    func valid(text: String, name: String, usesTLS: Bool) throws {
        let repository = try ImageRepository(parsing: text, defaultPath: "assay-tasks")
        #expect(repository.name == name && repository.usesTLS == usesTLS)
        #expect(try ImageRepository(parsing: repository.address) == repository)
    }

    @Test(
        "what is no repository is refused",
        arguments: [
            "", "tasks", "team/tasks", "a.b/Upper", "a.b/x:tag", "a.b//x", "ftp://a.b/x", "a.b:0/x", "a.b:70000/x", "a.b/x@sha256:1", "a b.c/x",
        ])
    func invalid(text: String) {
        #expect(throws: ImageRepository.Invalid.self) { try ImageRepository(parsing: text) }
    }
}
