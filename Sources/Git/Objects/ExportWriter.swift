import Base
import Glibc

/// Makes files below one directory, every step of the way by `openat` without following links: a link that the commit
/// itself brought cannot lead a later file out.
public final class ExportWriter: @unchecked Sendable {  // used by one export at a time, in the order of its files
    private let root: Int32
    private let place: String
    private var file: Int32 = -1

    /// - Parameter destination: a directory that exists.
    public init(_ destination: String) throws(FileError) {
        root = open(destination, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        place = destination
        guard root >= 0 else { throw FileError("open", destination) }
    }

    deinit {
        if file >= 0 { close(file) }
        close(root)
    }

    public func makeDirectory(_ path: [String]) throws(FileError) {
        try within(path) { parent, name in mkdirat(parent, name, 0o755) == 0 || errno == EEXIST }
    }

    public func makeLink(_ path: [String], _ target: String) throws(FileError) {
        try within(path) { parent, name in symlinkat(target, parent, name) == 0 }
    }

    /// Writes a piece of a file; the first piece creates the file, with mode 0755 or 0644 whatever the umask. The files come one after the
    /// other.
    /// - Parameter last: whether this is the file's last piece; an empty file has one empty piece.
    public func append(_ piece: ArraySlice<UInt8>, to path: [String], executable: Bool, last: Bool) throws(FileError) {
        if file < 0 {
            try within(path) { parent, name in
                file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, executable ? 0o755 : 0o644)
                return file >= 0
            }
            // A task's files are readable by the image's user.
            fchmod(file, executable ? 0o755 : 0o644)
        }
        try FileWriting.write(piece, to: file, path: "\(place)/\(path.joined(separator: "/"))")
        if last {
            close(file)
            file = -1
        }
    }

    /// Calls `body` with the parent directory's descriptor and the name in it.
    private func within(_ path: [String], _ body: (Int32, String) -> Bool) throws(FileError) {
        var parent = root
        defer { if parent != root { close(parent) } }
        for part in path.dropLast() {
            let next = openat(parent, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            guard next >= 0 else { throw FileError("open", "\(place)/\(path.joined(separator: "/"))") }
            if parent != root { close(parent) }
            parent = next
        }
        guard let name = path.last, body(parent, name) else {
            throw FileError("create", "\(place)/\(path.joined(separator: "/"))")
        }
    }
}
