import Base
import Glibc

/// Puts the files of a further step where its runner looks for them. Until then they are in a volume that no agent sees.
struct StepRelease: Sendable {
    let paths: TrialPaths

    /// - Returns: nil, or why the files are not in place.
    func release(_ step: TrialProgram.Step) -> String? {
        guard let folder = step.folder else { return nil }
        let (from, to) = ("\(paths.stagedSteps)/\(folder)", "\(paths.scripts)/\(folder)")
        guard FileEntry.isDirectory(from) else { return nil }
        do throws(FileError) {
            try copy(from, to)
            return nil
        } catch {
            return error.description
        }
    }

    /// The trial cannot write to the target, so nothing there needs to be guarded against.
    private func copy(_ from: String, _ to: String) throws(FileError) {
        try Directory.make(to)
        for name in Directory.names(in: from) ?? [] {
            let (source, target) = ("\(from)/\(name)", "\(to)/\(name)")
            var info = stat()
            guard lstat(source, &info) == 0 else { throw FileError("read", source) }
            switch info.st_mode & S_IFMT {
            case S_IFDIR: try copy(source, target)
            case S_IFLNK:
                var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
                guard readlink(source, &buffer, Int(PATH_MAX)) > 0, symlink(buffer, target) == 0 || errno == EEXIST else {
                    throw FileError("copy the link", source)
                }
            default:
                let bytes = try FileReading.bytes(source, limit: 1 << 30)
                try FileWriting.replace(target, with: bytes, mode: info.st_mode & 0o777, durable: false)
            }
        }
    }
}
