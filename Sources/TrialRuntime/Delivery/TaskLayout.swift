import Base
import EvalFormats
import EvalModel
import Git
import SourceSync

/// Lays the tree of a task into the volumes as it arrives, as the plan says.
final class TaskLayout {
    /// The most bytes of an instruction.
    private static let maximumInstruction = 1 << 20

    /// What happens to the content of the present file.
    private enum Present {
        case nothing
        case instruction(step: Int, file: String, [UInt8], left: Int)
        case folder(FolderLayout)
    }

    private let volumes: DeliveryVolumes
    private let plan: DeliveryPlan
    private let targets: [(path: [String], target: DeliveryPlan.Target)]
    private var folders: [[String]: FolderLayout] = [:]
    private var present = Present.nothing
    /// The instructions of the steps, by their place in the program, and their files.
    private var instructions: [(step: Int, file: String, text: [UInt8])] = []

    init(program: PodProgram, volumes: DeliveryVolumes) {
        self.volumes = volumes
        plan = DeliveryPlan(program, paths: volumes.paths)
        targets = plan.parts.map { ($0.path.pathComponents, $0.target) }
    }

    /// What was written into folders.
    var report: TreeExport.Report {
        folders.values.reduce(into: TreeExport.Report()) { total, layout in
            total.files += layout.report.files
            total.bytes += layout.report.bytes
        }
    }

    /// - Throws: `FileError`; `TrialError` for a tree that is no task.
    func receive(_ event: TreeStreamDecoder.Event) throws {
        switch event {
        case .entry(let entry): try begin(entry)
        case .content(let piece): try add(piece)
        }
    }

    /// Call after the whole tree was received.
    /// - Parameter program: gets what only the task's files tell.
    func finish(_ program: inout PodProgram) throws {
        for instruction in instructions {
            try volumes.write(instruction: instruction.text, of: instruction.step, to: instruction.file, &program)
        }
        try plan.finish(program, volumes)
    }

    private func begin(_ entry: TreeStream.Entry) throws {
        present = .nothing
        for (path, target) in targets where entry.path.starts(with: path) {
            switch target {
            case .instruction(let step, let file):
                // A folder of that name is no instruction.
                guard entry.path.count == path.count, case .file(_, let size) = entry.kind else { return }
                guard size <= Self.maximumInstruction else {
                    throw TrialError(.sourceSyncFailed, "\"\(path.joined(separator: "/"))\" is larger than \(Self.maximumInstruction) bytes")
                }
                present = .instruction(step: step, file: file, [], left: size)
                if size == 0 { try add([]) }
            case .folder(let destination): try lay(entry, below: path, in: destination)
            case .item(let destination):
                if entry.path.count == path.count, case .file = entry.kind {
                    try lay(file: entry, at: path, as: destination)
                } else {
                    try lay(entry, below: path, in: destination)
                }
            }
            return
        }
    }

    private func lay(_ entry: TreeStream.Entry, below folder: [String], in destination: String) throws {
        let path = Array(entry.path.dropFirst(folder.count))
        guard !path.isEmpty else {
            guard case .directory = entry.kind else {
                throw TrialError(.taskNotFound, "\"\(folder.joined(separator: "/"))\" of the task is a file, not a folder")
            }
            folders[folder] = try FolderLayout(destination)
            return
        }
        guard let layout = folders[folder] else { throw TrialError(.internalError, "a folder comes after what lies in it") }
        present = .folder(layout)
        try layout.begin(entry.kind, at: path)
    }

    private func lay(file entry: TreeStream.Entry, at path: [String], as destination: String) throws {
        let layout = try FolderLayout(Path.parent(of: destination))
        folders[path] = layout
        present = .folder(layout)
        try layout.begin(entry.kind, at: [entry.path[entry.path.count - 1]])
    }

    private func add(_ piece: ArraySlice<UInt8>) throws {
        switch present {
        case .nothing: break
        case .instruction(let step, let file, let bytes, let left):
            present = .instruction(step: step, file: file, bytes + piece, left: left - piece.count)
            if left == piece.count { instructions.append((step, file, bytes + piece)) }
        case .folder(let layout): try layout.add(piece)
        }
    }
}
