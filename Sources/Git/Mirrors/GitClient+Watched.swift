import Base
import Glibc
import Subprocess

extension GitClient {
    /// Runs a `git fetch --progress` that may take long, and stops it when its remote stalls (`Settings.stallSeconds`).
    ///
    /// - Parameter grown: called about once a second with the number of bytes of the incoming pack.
    /// - Throws: `.timeout` when the remote stalls or the deadline passes.
    func runWatched(_ call: Call, grown: @escaping @Sendable (Int) async -> Void = { _ in }) async throws(GitError) {
        let words = Locked(FetchWords())
        let running: RunningCommand
        do { running = try RunningCommand.start(command(call), onStderr: { chunk in words.withLock { $0.feed(chunk) } }) } catch {
            throw Self.startFailure(error, call)
        }
        let isStalled = Locked(false)
        let packs = call.repository.map { "\($0)/objects/pack" }
        let watch = Task { [settings] in
            let time = SystemTime()
            var progress = FetchProgress(window: settings.stallSeconds, floor: settings.stallBytesPerSecond, at: time.monotonic())
            while true {
                try await time.sleep(seconds: min(1, settings.stallSeconds / 10))
                let now = time.monotonic()
                for line in words.withLock({ $0.take() }) { progress.receive(line, at: now) }
                let bytes = packs.map(Self.incoming) ?? 0
                progress.came(bytes, at: now)
                if progress.isStalled(at: now) {
                    isStalled.withLock { $0 = true }
                    return running.signal(SIGKILL)
                }
                await grown(bytes)
            }
        }
        let exit = await withTaskCancellationHandler {
            await running.wait()
        } onCancel: {
            running.signal(SIGKILL)
        }
        watch.cancel()
        _ = await watch.result
        if exit.isSuccess, !running.timedOut { return }
        if Task.isCancelled { throw GitError(.cancelled, "cannot \(call.doing): cancelled") }
        let place = call.place ?? call.remote?.url.text ?? call.repository ?? ""
        guard !isStalled.withLock({ $0 }) else {
            throw GitError(
                .timeout,
                "cannot \(call.doing) \(place): the remote has sent less than \(Int(settings.stallBytesPerSecond)) bytes a second for "
                    + "\(Int(settings.stallSeconds)) s; check the remote and the network")
        }
        let stderr = words.withLock { words in
            words.finish()
            return words.errors
        }
        throw GitFailure.classify(stderr: stderr, exit: "\(exit)", timedOut: running.timedOut, doing: call.doing, place: place)
    }

    /// The bytes of packs that are being received into a folder. git gives a pack its final name when it is complete.
    private static func incoming(_ packs: String) -> Int {
        (Directory.names(in: packs) ?? []).filter { $0.hasPrefix("tmp_pack_") }.reduce(0) { sum, name in
            var info = stat()
            return lstat("\(packs)/\(name)", &info) == 0 ? sum + Int(info.st_size) : sum
        }
    }
}
