import Base
import EvalModel
import Glibc

/// Copies what a trial offers to a folder that the trial does not mount: only regular files and folders, without following any link, within
/// limits, and without setuid bits. What is left out is listed.
///
/// The limits are for all steps together. Guarantees: nothing outside of the offered folders is read, whatever links the trial makes meanwhile, and no device or FIFO is opened for
/// reading.
struct ArtifactHandover: Sendable {
    struct LeftOut: Sendable, Hashable {
        /// The artifact's path in the trial and the names below it.
        var source: String
        var components: [[UInt8]]
        var why: String
    }

    let paths: TrialPaths
    let limits: HandoverLimits
    /// The steps whose artifacts were copied.
    private(set) var taken: Set<Int> = []
    private(set) var files = 0
    private(set) var bytes = 0
    private(set) var leftOut: [LeftOut] = []
    private var entries = 0
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)

    var counts: ArtifactCounts { ArtifactCounts(files: files, bytes: bytes, leftOut: leftOut.count) }

    init(paths: TrialPaths, limits: HandoverLimits) {
        self.paths = paths
        self.limits = limits
    }

    /// Copies the artifacts of a step; the copies lie at `accepted/<step>/<number>/item`.
    ///
    /// - Throws: `FileError` when the collector's own disk fails. Whatever is wrong with an artifact is a reason to leave it out.
    mutating func take(_ artifacts: [HandedArtifact], ofStep step: Int = 0) throws(FileError) {
        let accepted = paths.accepted(ofStep: step)
        try Directory.make(accepted)
        for name in Directory.names(in: accepted) ?? [] { Directory.removeTree("\(accepted)/\(name)") }
        for artifact in artifacts {
            let place: (root: String, names: [String]) =
                switch artifact.origin {
                case .logs(let names): (paths.collectedLogs, names)
                case .offered: (paths.offered, [artifact.folder, HandedArtifact.item])
                // The last name is the volume itself when all of it is taken.
                case .volume(let volume, let names): (paths.serviceVolumes, [volume] + names)
                }
            guard let parent = Self.openFolder(place.names.dropLast(), below: place.root) else { continue }
            defer { close(parent) }
            let folder = "\(accepted)/\(artifact.folder)"
            try Directory.make(folder)
            let target = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard target >= 0 else { throw FileError("open", folder) }
            defer { close(target) }
            var visit = Visit(source: artifact.artifact.source, exclusions: ExclusionPatterns(patterns: artifact.artifact.exclude))
            guard let last = place.names.last else { continue }
            try copy(Array(last.utf8), as: Array(HandedArtifact.item.utf8), from: parent, to: target, [], &visit)
        }
        taken.insert(step)
    }

    /// The artifact that is being copied.
    private struct Visit {
        let source: String
        let exclusions: ExclusionPatterns
    }

    private mutating func leaveOut(_ components: [[UInt8]], _ visit: Visit, _ why: String) {
        leftOut.append(LeftOut(source: visit.source, components: components, why: why))
    }

    /// - Parameter path: the names below the artifact, for the patterns and the list.
    private mutating func copy(
        _ name: [UInt8], as copyName: [UInt8], from parent: Int32, to target: Int32, _ path: [[UInt8]], _ visit: inout Visit
    ) throws(FileError) {
        var info = stat()
        guard name.withCString({ fstatat(parent, $0, &info, AT_SYMLINK_NOFOLLOW) }) == 0 else {
            // An artifact that the agent did not make is no fault; the verifier finds that it is missing.
            if !path.isEmpty { leaveOut(path, visit, String(cString: strerror(errno))) }
            return
        }
        entries += 1
        guard entries <= limits.entries else {
            if entries == limits.entries + 1 { leaveOut(path, visit, "and all that follows: more than \(limits.entries) entries in all") }
            return
        }
        switch info.st_mode & S_IFMT {
        case S_IFREG: try copyFile(name, as: copyName, from: parent, to: target, path, visit)
        case S_IFDIR where path.count >= limits.depth: leaveOut(path, visit, "deeper than \(limits.depth) folders")
        case S_IFDIR: try copyFolder(name, as: copyName, from: parent, to: target, info, path, &visit)
        default: leaveOut(path, visit, LogTree.kind(info.st_mode))
        }
    }

    private mutating func copyFolder(
        _ name: [UInt8], as copyName: [UInt8], from parent: Int32, to target: Int32, _ info: stat, _ path: [[UInt8]], _ visit: inout Visit
    ) throws(FileError) {
        let source = name.withCString { openat(parent, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard source >= 0 else { return leaveOut(path, visit, String(cString: strerror(errno))) }
        // The descriptor belongs to the stream from here on.
        guard let stream = fdopendir(source) else {
            close(source)
            return leaveOut(path, visit, "cannot be listed")
        }
        defer { closedir(stream) }
        guard copyName.withCString({ mkdirat(target, $0, 0o755) }) == 0 else { throw FileError("make a folder in", paths.accepted) }
        let copy = copyName.withCString { openat(target, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard copy >= 0 else { throw FileError("open a folder in", paths.accepted) }
        defer { close(copy) }
        for child in LogTree.names(in: stream, atMost: limits.entries + 1 - entries).sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let childPath = path + [child]
            if visit.exclusions.excludes(childPath) { continue }
            try self.copy(child, as: child, from: source, to: copy, childPath, &visit)
        }
        fchmod(copy, info.st_mode & 0o777 | 0o755)
        Self.copyTimes(info, to: copy)
    }

    private mutating func copyFile(
        _ name: [UInt8], as copyName: [UInt8], from parent: Int32, to target: Int32, _ path: [[UInt8]], _ visit: Visit
    ) throws(FileError) {
        // O_NONBLOCK: a FIFO that took the file's place does not block the opening.
        let source = name.withCString { openat(parent, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
        guard source >= 0 else { return leaveOut(path, visit, String(cString: strerror(errno))) }
        defer { close(source) }
        var info = stat()
        guard fstat(source, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return leaveOut(path, visit, "changed while it was copied") }
        let size = Int(info.st_size)
        guard size <= limits.bytes - bytes else {
            return leaveOut(path, visit, "\(size) bytes, where \(limits.bytes - bytes) of \(limits.bytes) are left")
        }
        let copy = copyName.withCString { openat(target, $0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600) }
        guard copy >= 0 else { throw FileError("write a file in", paths.accepted) }
        defer { close(copy) }
        var offset = 0
        // A file that grows is copied up to the size that it had.
        while offset < size {
            let count = pread(source, &buffer, min(buffer.count, size - offset), off_t(offset))
            if count < 0, errno == EINTR { continue }
            if count < 0 {
                leaveOut(path, visit, "cannot be read to its end: \(String(cString: strerror(errno)))")
                break
            }
            if count == 0 { break }
            try FileWriting.write(buffer[0..<count], to: copy, path: paths.accepted)
            offset += count
        }
        bytes += offset
        files += 1
        fchmod(copy, info.st_mode & 0o777 | 0o444)
        Self.copyTimes(info, to: copy)
    }

    private static func copyTimes(_ info: stat, to fd: Int32) {
        _ = futimens(fd, [info.st_atim, info.st_mtim])
    }

    /// Opens a folder without following a link in any of the names.
    private static func openFolder(_ names: some Sequence<String>, below root: String) -> Int32? {
        var fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        for name in names {
            guard fd >= 0 else { return nil }
            let parent = fd
            fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            close(parent)
        }
        return fd >= 0 ? fd : nil
    }
}
