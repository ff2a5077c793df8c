import Base
import EvalFormats
import EvalModel
import Glibc

/// Removes from delivered tests and solutions what their `.harborignore` files leave out, and these files. The rules of a folder hold for everything
/// below it, and those of a deeper folder come later, as for git. Source: Harbor's `TaskFileFilter`.
struct IgnoredFiles: Sendable {
    /// The largest `.harborignore` that is read.
    private static let maximumBytes = 1 << 20

    /// - Parameter root: the delivered folder: `tests` or `solution`.
    /// - Throws: `task_invalid` for rules that cannot be read.
    static func remove(from root: String) throws(TrialError) {
        try clean(root, [], [])
    }

    private static func clean(_ folder: String, _ path: [String], _ above: [(depth: Int, rules: IgnoreRules)]) throws(TrialError) {
        let names = Directory.names(in: folder) ?? []
        var known = above
        if names.contains(IgnoreRules.fileName) {
            let file = "\(folder)/\(IgnoreRules.fileName)"
            var info = stat()
            guard lstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, let text = FileReading.text(file, limit: maximumBytes) else {
                throw TrialError(
                    .taskInvalid, "\((path + [IgnoreRules.fileName]).joined(separator: "/")) must be a file of text, at most 1 MiB")
            }
            known.append((path.count, IgnoreRules(text)))
            unlink(file)
        }
        for name in names where name != IgnoreRules.fileName {
            let place = "\(folder)/\(name)"
            let isFolder = FileEntry.isDirectory(place) && !isLink(place)
            let own = path + [name]
            let isExcluded = known.reduce(false) { excluded, entry in
                entry.rules.decision(Array(own.dropFirst(entry.depth)), isFolder: isFolder) ?? excluded
            }
            if isExcluded {
                if isFolder { Directory.removeTree(place) } else { unlink(place) }
            } else if isFolder {
                try clean(place, own, known)
            }
        }
    }

    private static func isLink(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK
    }
}
