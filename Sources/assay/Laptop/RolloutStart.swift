import Base
import EvalFormats
import Git
import Glibc
import Rollout

/// From a job file of Rollout to the resources that run it on this machine.
struct RolloutStart: Sendable {
    let file: JobFile
    /// The hash of the job file.
    let digest: String
    /// The working directory, which the file's paths are relative to.
    let directory: String
    let state: StateDirectory

    private var register: OutputRegister { OutputRegister(directory: state.outputs) }

    /// Finds the datasets. A file without a name goes on with its last job when that is not over, else its name is the time.
    func job() async throws -> RolloutJob {
        let name =
            file.name ?? register.entries().last { $0.digest == digest && !$0.isComplete }?.name ?? Self.name()
        return try await Self.job(file, name: name, directory: directory, snapshots: state.snapshots)
    }

    /// - Throws: `UsageError`.
    static func job(_ file: JobFile, name: String, directory: String, snapshots: String) async throws -> RolloutJob {
        let locator = DatasetLocator(directory: directory, snapshots: SnapshotStore(directory: snapshots))
        do {
            return RolloutJob(file, name: name, datasets: try await locator.locate(file.datasets))
        } catch let error as DatasetError {
            throw UsageError("\(error)")
        } catch let error as GitError {
            throw UsageError(error.message)
        }
    }

    /// The directory of the job's outputs. One that another program has written is left alone.
    ///
    /// - Parameter anew: outputs of an earlier job of the name are moved aside.
    func outputs(of job: RolloutJob, anew: Bool) throws -> JobOutputs {
        let place = "\(Path.absolute(file.jobsDir, in: directory))/\(job.name)"
        let known = register.entry(of: job.objectName)
        if FileEntry.exists(place) {
            guard known?.directory == place else {
                throw UsageError(
                    "\(place) exists already and is not of a job that this directory runs: give the job another name, or move that directory away")
            }
            if anew { try Self.moveAside(place) }
        }
        var entry = OutputEntry(
            name: job.name, object: job.objectName, directory: place, digest: digest, agents: file.agents.map(\.name),
            heads: job.heads.mapValues { $0 ?? "" })
        // Trials of earlier runs of the job have other snapshots.
        if let known, !anew { entry.heads.merge(known.heads) { new, _ in new } }
        return JobOutputs(entry, register: register, results: state.results)
    }

    /// Completes the outputs of runs that were killed; does nothing while a command runs in the directory.
    static func completeInterrupted(in state: StateDirectory) throws {
        guard FileEntry.isDirectory(state.outputs), let lock = try? state.acquireLock() else { return }
        defer { withExtendedLifetime(lock) {} }
        _ = try JobOutputs.completeInterrupted(OutputRegister(directory: state.outputs), results: state.results)
    }

    private static func moveAside(_ place: String) throws {
        var number = 1
        while FileEntry.exists("\(place)~\(number)") { number += 1 }
        guard rename(place, "\(place)~\(number)") == 0 else { throw UsageError("\(FileError("move", place))") }
    }

    /// The local time, as `2026-01-02__03-04-05`.
    static func name(at seconds: Int = Int(SystemTime().now().seconds)) -> String {
        var moment = time_t(seconds)
        var parts = tm()
        localtime_r(&moment, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return
            "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))__\(two(parts.tm_hour))-\(two(parts.tm_min))-\(two(parts.tm_sec))"
    }
}
