import Base
import Glibc
import HTTPTransport

/// Installs pinned programs into the user's directory, and records new pins.
public struct Installer: Sendable {
    private let programs: UserPrograms
    private let platform: Platform
    private let download: ReleaseDownload

    public init(_ programs: UserPrograms, platform: Platform = .current, transport: HTTPTransport = .shared) {
        self.programs = programs
        self.platform = platform
        download = ReleaseDownload(transport: transport)
    }

    public enum Outcome: Sendable, Hashable {
        case installed(path: String)
        /// The file is there already, with the pinned content. Nothing was downloaded.
        case present(path: String)
    }

    /// Downloads, verifies and installs a program. The file appears under its name complete or not at all.
    /// - Throws: `DependencyError`; nothing that does not have the pinned checksum is ever installed.
    public func install(_ entry: DependencyList.Entry) async throws(DependencyError) -> Outcome {
        guard platform.isKnown else {
            throw DependencyError(
                .notPinned,
                "assay cannot install programs for \(platform), only for \(Platform.known.map(\.description).joined(separator: ", ")); put \(entry.name) on PATH by hand"
            )
        }
        guard let expected = entry.sha256[platform] else {
            throw DependencyError(
                .notPinned,
                "the checksum of \(entry.name) \(entry.version) for \(platform) is not known, so it is not installed; record it with: "
                    + "assay deps pin \(entry.name) --version \(entry.version), or put \(entry.name) on PATH by hand")
        }
        let path = "\(programs.bin)/\(entry.name)"
        if FileReading.sha256(of: path) == expected {
            try makeExecutable(path)
            return .present(path: path)
        }
        let part = "\(programs.downloads)/\(expected).part"
        do throws(FileError) {
            try Directory.make(programs.downloads)
            try Directory.make(programs.bin)
        } catch {
            throw ReleaseDownload.disk(error)
        }
        let found: String
        if let digest = FileReading.sha256(of: part), digest == expected {
            found = digest
        } else {
            found = try await download.file(entry.address(for: platform), to: part)
        }
        guard found == expected else {
            unlink(part)
            throw DependencyError(
                .mismatch,
                "\(entry.address(for: platform)) is not the file that is pinned: its SHA-256 is \(found), expected \(expected); it is removed and not installed. "
                    + "Find out why before you pin it anew")
        }
        try makeExecutable(part)
        guard rename(part, path) == 0 else { throw ReleaseDownload.disk(FileError("rename \(part) to", path)) }
        return .installed(path: path)
    }

    private func makeExecutable(_ path: String) throws(DependencyError) {
        guard chmod(path, 0o755) == 0 else { throw ReleaseDownload.disk(FileError("set the mode of", path)) }
    }

    /// What a release has for each platform.
    public struct Pin: Sendable, Hashable {
        public var entry: DependencyList.Entry
        /// Platforms for which there is no file, with the reason.
        public var missing: [Platform: String]
    }

    /// Downloads every platform's file of a version and computes its checksum. The bytes are trusted as they come: compare the checksums with those
    /// that the project publishes.
    /// - Throws: `DependencyError` when there is no file at all.
    public func pin(_ entry: DependencyList.Entry, version: String) async throws(DependencyError) -> Pin {
        guard DependencyList.isVersion(version) else {
            throw DependencyError(.badInput, "\"\(version.replacingControls)\" is no version of a release: give one such as v1.2.3, never \"latest\"")
        }
        var pinned = entry
        pinned.version = version
        pinned.sha256 = [:]
        var missing: [Platform: String] = [:]
        do throws(FileError) { try Directory.make(programs.downloads) } catch { throw ReleaseDownload.disk(error) }
        for platform in Platform.known {
            let address = pinned.address(for: platform)
            let file = "\(programs.downloads)/\(SHA256.hex(of: address.utf8)).new"
            unlink(file)
            do throws(DependencyError) {
                pinned.sha256[platform] = try await download.file(address, to: file)
            } catch {
                guard error.kind == .download else { throw error }
                missing[platform] = error.description
            }
            unlink(file)
        }
        guard !pinned.sha256.isEmpty else {
            let reasons = Platform.known.compactMap { missing[$0] }
            throw DependencyError(
                .download, "nothing is pinned: \(entry.name) \(version) could be downloaded for no platform: \(reasons.joined(separator: "; "))")
        }
        return Pin(entry: pinned, missing: missing)
    }

    /// Adds an entry to the list in a file, which is created when it is missing.
    public static func record(_ entry: DependencyList.Entry, in file: String) throws(DependencyError) {
        var list = try FileEntry.exists(file, followingLinks: true) ? UserPrograms.read(file) : DependencyList()
        list.set(entry)
        do throws(FileError) {
            try Directory.make(Path.parent(of: file))
            try FileWriting.replace(file, with: list.serialized())
        } catch {
            throw ReleaseDownload.disk(error)
        }
    }
}
