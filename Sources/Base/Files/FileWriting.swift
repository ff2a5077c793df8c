import Glibc

/// Writes files. A given mode is set regardless of the umask; without one a file gets 0644 less the umask.
public enum FileWriting {
    /// Writes a new file beside the old one and renames it over the old one: readers see either the old or the new bytes. With
    /// `durable` the bytes and the name are on the disk when this returns.
    public static func replace(
        _ path: String, with bytes: some Collection<UInt8>, mode: mode_t? = nil, durable: Bool = true
    ) throws(FileError) {
        let temporary = try writeBeside(path, mode: mode, durable: durable) { (fd) throws(FileError) in try write(bytes, to: fd, path: path) }
        try move(temporary, to: path)
        if durable { try Directory.sync(Path.parent(of: path)) }
    }

    /// Replaces a file by a copy of another one of any size, as `replace` does without `durable`. The bytes go through a buffer of 1 MiB.
    /// Links to `source` are followed.
    public static func replace(_ path: String, withCopyOf source: String) throws(FileError) {
        let input = open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard input >= 0 else { throw FileError("read", source) }
        defer { close(input) }
        let temporary = try writeBeside(path, mode: nil, durable: false) { (output) throws(FileError) in
            while true {
                let piece = try FileReading.upTo(1 << 20, from: input, source)
                guard !piece.isEmpty else { return }
                try write(piece, to: output, path: path)
            }
        }
        try move(temporary, to: path)
    }

    /// Writes a new file, unless there is one already: then it stays as it is. Of several processes that do this at the same time, one writes
    /// the file, and readers see all of its bytes or no file (link(2)).
    public static func create(_ path: String, with bytes: some Collection<UInt8>, mode: mode_t? = nil) throws(FileError) {
        let temporary = try writeBeside(path, mode: mode, durable: true) { (fd) throws(FileError) in try write(bytes, to: fd, path: path) }
        defer { unlink(temporary) }
        guard link(temporary, path) == 0 || errno == EEXIST else { throw FileError("create", path) }
        try Directory.sync(Path.parent(of: path))
    }

    /// - Returns: the path of the new file, which is in the same directory.
    private static func writeBeside(
        _ path: String, mode: mode_t?, durable: Bool, _ content: (_ fd: Int32) throws(FileError) -> Void
    ) throws(FileError) -> String {
        let temporary = "\(path).tmp-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode ?? 0o644)
        guard fd >= 0 else { throw FileError("create", temporary) }
        do throws(FileError) {
            defer { close(fd) }
            try content(fd)
            if let mode, fchmod(fd, mode) != 0 { throw FileError("set the mode of", temporary) }
            if durable, fsync(fd) != 0 { throw FileError("sync", temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        return temporary
    }

    private static func move(_ temporary: String, to path: String) throws(FileError) {
        guard rename(temporary, path) == 0 else {
            let number = errno
            unlink(temporary)
            throw FileError("rename \(temporary) to", path, number)
        }
    }

    /// Writes into the file itself and creates it if it is missing. For files that other processes have open or mounted, and for
    /// files that nobody reads before they are complete. A link is not followed.
    public static func write(_ bytes: some Collection<UInt8>, to path: String, mode: mode_t? = nil) throws(FileError) {
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode ?? 0o644)
        guard fd >= 0 else { throw FileError("write", path) }
        defer { close(fd) }
        try write(bytes, to: fd, path: path)
        // `fchmod` fails when the file belongs to another user. The file then keeps its mode.
        if let mode { fchmod(fd, mode) }
    }

    /// Writes all bytes at the current position of an open file.
    /// - Parameter path: used in the error only.
    public static func write(_ bytes: some Collection<UInt8>, to fd: Int32, path: String) throws(FileError) {
        let failed =
            bytes.withContiguousStorageIfAvailable { write(UnsafeRawBufferPointer($0), to: fd) }
            ?? Array(bytes).withUnsafeBytes { write($0, to: fd) }
        if let failed { throw FileError("write", path, failed) }
    }

    private static func write(_ buffer: UnsafeRawBufferPointer, to fd: Int32) -> Int32? {
        var done = 0
        while done < buffer.count {
            let count = Glibc.write(fd, buffer.baseAddress?.advanced(by: done), buffer.count - done)
            if count < 0 {
                if errno == EINTR { continue }
                return errno
            }
            done += count
        }
        return nil
    }
}
