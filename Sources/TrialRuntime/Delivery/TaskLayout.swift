import Base
import EvalFormats
import EvalModel
import Git
import SourceSync

/// Lays the tree of a task into the volumes as it arrives: instructions beside the scripts, tests where they are staged, the solution in its
/// volume.
final class TaskLayout {
    /// The folder of the solution in a task.
    static let solution = "solution"
    /// The most bytes of an instruction.
    private static let maximumInstruction = 1 << 20

    private enum Target {
        case instruction(TrialProgram.Step)
        /// A folder of the task that becomes a directory.
        case folder(String)
    }

    /// What happens to the content of the present file.
    private enum Present {
        case nothing
        case instruction(TrialProgram.Step, [UInt8], left: Int)
        case folder(FolderLayout)
    }

    private let volumes: DeliveryVolumes
    private let family: TaskSchema
    private let targets: [(path: [String], target: Target)]
    private var folders: [[String]: FolderLayout] = [:]
    private var present = Present.nothing
    /// Bytes of the instructions as agents get them, by their files.
    private var instructions: [String: Int] = [:]

    init(program: PodProgram, volumes: DeliveryVolumes) {
        self.volumes = volumes
        family = program.family
        var targets: [(path: [String], target: Target)] = []
        for step in program.steps {
            targets.append((step.instruction.pathComponents, .instruction(step)))
            if program.deliversTests { targets.append((step.tests.pathComponents, .folder(volumes.paths.stagedTests(step)))) }
        }
        if program.delivery.solution { targets.append(([Self.solution], .folder(volumes.paths.deliveredSolution))) }
        self.targets = targets
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
        for (index, step) in program.steps.enumerated() {
            guard let bytes = instructions[step.instruction], bytes > TrialProgram.Step.instructionVariableLimit else { continue }
            program.steps[index].longInstructionBytes = bytes
        }
        if folders[[Self.solution]] != nil, program.family.runsScriptsAsFiles {
            try volumes.makeExecutable(volumes.paths.deliveredSolution + "/solve.sh")
        }
    }

    private func begin(_ entry: TreeStream.Entry) throws {
        present = .nothing
        for (path, target) in targets where entry.path.starts(with: path) {
            switch target {
            case .instruction(let step):
                // A folder of that name is no instruction.
                guard entry.path.count == path.count, case .file(_, let size) = entry.kind else { return }
                guard size <= Self.maximumInstruction else {
                    throw TrialError(.sourceSyncFailed, "\"\(step.instruction)\" is larger than \(Self.maximumInstruction) bytes")
                }
                present = .instruction(step, [], left: size)
                if size == 0 { try add([]) }
            case .folder(let destination): try lay(entry, below: path, in: destination)
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

    private func add(_ piece: ArraySlice<UInt8>) throws {
        switch present {
        case .nothing: break
        case .instruction(let step, let bytes, let left):
            present = .instruction(step, bytes + piece, left: left - piece.count)
            guard left == piece.count else { return }
            let shown = InstructionText.shown(bytes + piece, family: family)
            instructions[step.instruction] = shown.count
            try volumes.write(shown, to: volumes.paths.instruction(step))
        case .folder(let layout): try layout.add(piece)
        }
    }
}
