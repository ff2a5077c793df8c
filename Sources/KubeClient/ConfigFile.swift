import Glibc

/// Small files that configuration names.
enum ConfigFile {
    /// More than any certificate bundle or kubeconfig; a guard against a path that names something else.
    private static let limit = 16 << 20

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func bytes(_ path: String) throws(KubeConfigError) -> [UInt8] {
        // Not blocking: a path that names a FIFO must not hang the caller.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path)
            }
            if count == 0 { return all }
            all += chunk[..<count]
            if all.count > limit { throw KubeConfigError("\(path) is longer than \(limit) bytes: is it the right file?") }
        }
    }

    /// The text without white space around it.
    static func text(_ path: String) throws(KubeConfigError) -> String {
        var text = String(decoding: try bytes(path), as: UTF8.self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        return text
    }

    /// `path` as seen from the directory of `file`.
    static func resolve(_ path: String, besides file: String) -> String {
        if path.hasPrefix("/") || path.isEmpty { return path }
        guard let slash = file.lastIndex(of: "/") else { return path }
        return String(file[...slash]) + path
    }

    private static func failure(_ path: String) -> KubeConfigError {
        KubeConfigError("cannot read \(path): \(String(cString: strerror(errno)))")
    }
}
