import Base
import Git
import SourceSync

/// Lays a folder of a tree into a directory as it arrives.
final class FolderLayout {
    private(set) var report = TreeExport.Report()
    private let writer: ExportWriter
    /// The file whose content comes next.
    private var present: (path: [String], executable: Bool, left: Int)?

    /// Makes the directory.
    init(_ destination: String) throws {
        try Directory.make(destination)
        writer = try ExportWriter(destination)
    }

    /// - Parameter path: relative to the folder; not empty.
    func begin(_ kind: TreeStream.Entry.Kind, at path: [String]) throws {
        present = nil
        switch kind {
        case .directory: try writer.makeDirectory(path)
        case .link(let target): try writer.makeLink(path, target)
        case .file(let executable, let size):
            report.files += 1
            report.bytes += size
            present = (path, executable, size)
            if size == 0 { try add([]) }
        }
    }

    /// Content of the present file.
    func add(_ piece: ArraySlice<UInt8>) throws {
        guard let file = present else { return }
        try writer.append(piece, to: file.path, executable: file.executable, last: file.left == piece.count)
        present = (file.path, file.executable, file.left - piece.count)
    }
}
