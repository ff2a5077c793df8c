import AssayTesting
import Base
import Subprocess
import Testing

/// A user's own podman, with a storage of its own: the node finds the images there.
struct UserPodman: Sendable {
    let bench: Workbench
    /// Variables that make podman use this storage.
    let environment: [String: String]

    /// - Parameter more: further variables for podman.
    init(_ bench: Workbench, more: [String: String] = [:]) throws {
        self.bench = bench
        try bench.write(
            "storage.conf",
            "[storage]\ndriver = \"overlay\"\ngraphroot = \"\(bench.directory)/images\"\nrunroot = \"\(bench.directory)/images-run\"\n")
        environment = more.merging(["CONTAINERS_STORAGE_CONF": "\(bench.directory)/storage.conf"]) { $1 }
    }

    func podman(_ words: String...) async throws {
        let result = try await Command("podman", words, environment: .inheriting(adding: environment), deadlineSeconds: 120).run()
        try #require(result.succeeded, "podman \(words.joined(separator: " ")): \(result.stderrText)")
    }

    /// Imports a small image of this machine's programs.
    ///
    /// - Parameters:
    ///   - programs: further programs.
    ///   - files: further files; their texts by path.
    func makeImage(_ name: String, programs: [String] = [], files: [String: String] = [:]) async throws {
        let folder = "\(bench.directory)/image-\(SHA256.hex(of: Array(name.utf8)).prefix(8))"
        try Directory.make(folder)
        try await BaseImage.makeArchive("\(folder).tar", in: folder, more: programs, files: files)
        try await podman("import", "\(folder).tar", name)
    }

    /// Imports a folder of the workbench as an image.
    func archive(_ folder: String, as name: String) async throws {
        let packed = try await Command("tar", ["-C", "\(bench.directory)/\(folder)", "-c", "-f", "\(bench.directory)/\(folder).tar", "."]).run()
        try #require(packed.succeeded, "\(packed.stderrText)")
        try await podman("import", "\(bench.directory)/\(folder).tar", name)
    }

    /// Runs a job on the laptop.
    func run(_ job: String, expecting status: Int32) async throws -> CommandResult {
        let result = try await bench.assay(["run", job], environment: environment)
        #expect(result.exit == .code(status), "\(result.stdoutText)\n\(result.stderrText)")
        return result
    }
}
