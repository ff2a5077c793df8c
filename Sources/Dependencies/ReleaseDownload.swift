import Base
import Glibc
import HTTPTransport

/// Downloads one file of a release to the disk, going on where an earlier download stopped.
///
/// Proxies are those of the environment, as curl reads them. Releases are often stored on another host than the one that lists them, so redirects are
/// followed, to https only; no request has a credential. What arrives proves itself by its checksum, so the host does not matter.
struct ReleaseDownload: Sendable {
    /// The most bytes of a program.
    static let limit = 1 << 30
    private static let attempts = 3

    let transport: HTTPTransport

    /// Downloads to `path`. Bytes that are there already are kept, and only the rest is asked for.
    /// - Returns: the file's SHA-256.
    func file(_ url: String, to path: String) async throws(DependencyError) -> String {
        var last: DependencyError?
        for _ in 0..<Self.attempts {
            do throws(Problem) {
                try await attempt(url, path)
                guard let digest = FileReading.sha256(of: path) else { throw .final(Self.disk(FileError("read", path))) }
                return digest
            } catch {
                switch error {
                case .final(let error): throw error
                case .again(let error): last = error
                }
            }
        }
        throw last ?? DependencyError(.download, "cannot download \(url)")
    }

    private enum Problem: Error {
        /// Another try may succeed.
        case again(DependencyError)
        case final(DependencyError)
    }

    private func attempt(_ url: String, _ path: String) async throws(Problem) {
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard fd >= 0 else { throw .final(Self.disk(FileError("create", path))) }
        defer { close(fd) }
        var have = Int(lseek(fd, 0, SEEK_END))
        let response = try await response(url, from: have)
        if response.status == 416 {
            // The file on the disk has all bytes already, or is of another release: the checksum decides.
            if response.headers["Content-Range"]?.hasSuffix("/\(have)") == true { return }
            ftruncate(fd, 0)
            throw .again(DependencyError(.download, "\(url) has fewer bytes than were downloaded before; they are removed: try again"))
        }
        guard response.status == 200 || response.status == 206 else {
            let error = DependencyError(.download, "cannot download \(url): the server answered with status \(response.status)")
            throw response.status >= 500 || response.status == 429 ? .again(error) : .final(error)
        }
        if response.status == 200 || response.headers["Content-Range"]?.hasPrefix("bytes \(have)-") != true {
            // The server has sent the whole file, or another part than the one that was asked for.
            guard response.status == 200 else {
                throw .final(DependencyError(.download, "\(url) answered with another part of the file than the one asked for"))
            }
            have = 0
            ftruncate(fd, 0)
            lseek(fd, 0, SEEK_SET)
        }
        do {
            for try await chunk in response.body {
                have += chunk.count
                guard have <= Self.limit else { throw Problem.final(DependencyError(.download, "\(url) has more than 1 GiB: that is no program")) }
                try FileWriting.write(chunk, to: fd, path: path)
            }
        } catch let error as Problem {
            throw error
        } catch let error as FileError {
            throw .final(Self.disk(error))
        } catch {
            throw .again(DependencyError(.download, "the download of \(url) stopped after \(have) bytes: \(error); run the command again to go on"))
        }
        guard fsync(fd) == 0 else { throw .final(Self.disk(FileError("sync", path))) }
    }

    private func response(_ url: String, from offset: Int) async throws(Problem) -> HTTPResponse {
        var request = HTTPRequest(url: url, timeouts: HTTPTimeouts(connect: 20, total: 3600, idle: 60))
        request.headers["User-Agent"] = "assay"
        if offset > 0 { request.headers["Range"] = "bytes=\(offset)-" }
        do {
            return try await transport.download(request, to: .encryptedOrLoopback)
        } catch .invalidRequest(let why) {
            throw .final(DependencyError(.download, "cannot download \(url): \(why)"))
        } catch {
            throw .again(
                DependencyError(
                    .download, "cannot download \(url): \(error); without a way to this host, set https_proxy, or put the program on PATH by hand"))
        }
    }

    static func disk(_ error: FileError) -> DependencyError {
        DependencyError(.disk, "\(error); \(error.isFull ? "make room there" : "the directory must be writable")")
    }
}
