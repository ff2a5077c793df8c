import AssayAPI
import Base
import KubeCore
import KubeRuntime
import Planning

/// The builds of the process: each image is looked up and built once, for all jobs that want it. A build ends early when no job wants it any
/// more. A failure is kept as long as a job wants the image, so that no job tries again what failed for it.
final class ImageBuilds: Sendable {
    private typealias Outcome = Result<BuiltImage, ImageBuildFailure>

    private struct Entry {
        let build: ImageBuild
        var jobs: Set<JobIdentity>
        /// It was looked up and does not exist.
        var isMissing = false
    }

    private let builder: any ImageBuilder
    private let metrics: ImageMetrics
    private let lookups: TaskPool<ImageKey, Result<BuiltImage?, ImageBuildFailure>>
    private let builds: TaskPool<ImageKey, Outcome>
    private let entries: Locked<[ImageKey: Entry]>

    /// Images that are looked up at the same time: they do not wait for builds, so that a trial whose image exists starts at once.
    private static let lookupWidth = 8
    private static let lookupSeconds = 90.0
    /// Beyond every limit of a build itself, which the builder enforces.
    private static let buildSeconds = 7 * 86400.0

    init(
        _ builder: any ImageBuilder, metrics: ImageMetrics, time: any TimeSource, wake: @escaping @Sendable (ObjectKey) -> Void
    ) {
        self.builder = builder
        self.metrics = metrics
        let entries = Locked<[ImageKey: Entry]>([:])
        self.entries = entries
        let wakeAll: @Sendable (ImageKey) -> Void = { key in
            for job in entries.withLock({ $0[key]?.jobs ?? [] }) { wake(job.key) }
        }
        lookups = TaskPool(
            width: Self.lookupWidth, deadlineSeconds: Self.lookupSeconds, time: time,
            late: { _ in
                .failure(
                    ImageBuildFailure(.init(.environmentBuildFailed, "the image could not be looked up in \(Int(Self.lookupSeconds)) s"), log: ""))
            },
            onFinish: wakeAll)
        builds = TaskPool(
            width: builder.width, deadlineSeconds: Self.buildSeconds, time: time,
            late: { _ in .failure(ImageBuildFailure(.init(.environmentBuildTimeout, "the build did not end"), log: "")) }, onFinish: wakeAll)
    }

    /// How images of the target's tasks are built; nil when nothing builds them.
    func place(of job: EvalJobSpec, namespace: String, _ target: EvalTargetSpec) -> BuildPlace? {
        // The host of a vm target gets its images from registries.
        guard target.type != .vm else { return nil }
        return builder.place(namespace: namespace, target: JobRequirements.targetKey(of: job, in: namespace).name, target)
    }

    /// Records that a job wants images and no others, and starts what is not started yet.
    func want(_ wanted: [ImageBuild], for job: JobIdentity) {
        let new = entries.withLock { entries in
            var new: [ImageBuild] = []
            for build in wanted where entries[build.key]?.jobs.contains(job) != true {
                if entries[build.key] == nil {
                    entries[build.key] = Entry(build: build, jobs: [])
                    new.append(build)
                }
                entries[build.key]?.jobs.insert(job)
            }
            return new
        }
        for build in new { lookUp(build, group: job.uid) }
    }

    private func lookUp(_ build: ImageBuild, group: String) {
        let (builder, metrics) = (builder, metrics)
        lookups.start(build.key, group: group) {
            let found: Result<BuiltImage?, ImageBuildFailure>
            do throws(ImageBuildFailure) { found = .success(try await builder.find(build)) } catch { found = .failure(error) }
            if !Task.isCancelled { metrics.lookedUp(found) }
            return found
        }
    }

    /// A pod could not get an image that was there: it is looked up again, and built again if it is gone.
    func lookAgain(_ key: ImageKey) {
        guard case .ready? = state(of: key) else { return }
        let entry = entries.withLock { entries in
            entries[key]?.isMissing = false
            return entries[key]
        }
        guard let entry else { return }
        lookups.cancel(key)
        builds.cancel(key)
        lookUp(entry.build, group: entry.jobs.map(\.uid).min() ?? "")
    }

    /// The state of an image; nil when nobody wants it. Starts the build once the lookup has found nothing: the end of the lookup wakes the jobs,
    /// and their passes ask.
    func state(of key: ImageKey) -> ImageState? {
        guard let entry = entries.withLock({ $0[key] }) else { return nil }
        if case .finished(let outcome)? = builds.progress(of: key) {
            switch outcome {
            case .success(let image): return .ready(image)
            case .failure(let failure): return .failed(failure)
            }
        }
        guard !entry.isMissing, case .finished(let found)? = lookups.progress(of: key) else { return .building }
        switch found {
        case .success(let image?): return .ready(image)
        case .failure(let failure): return .failed(failure)
        case .success(nil): break
        }
        entries.withLock { $0[key]?.isMissing = true }
        let (builder, build, entries, metrics) = (builder, entry.build, entries, metrics)
        builds.start(key, group: entry.jobs.map(\.uid).min() ?? "") {
            await metrics.measured { await builder.build(build, owners: { entries.withLock { Array($0[key]?.jobs ?? []) } }) }
        }
        return .building
    }

    /// The job wants no image any more.
    func release(_ job: JobIdentity) {
        let unwanted = entries.withLock { entries in
            var unwanted: [ImageKey] = []
            for key in entries.filter({ $0.value.jobs.contains(job) }).keys {
                entries[key]?.jobs.remove(job)
                guard entries[key]?.jobs.isEmpty == true else { continue }
                entries.removeValue(forKey: key)
                unwanted.append(key)
            }
            return unwanted
        }
        for key in unwanted {
            lookups.cancel(key)
            builds.cancel(key)
        }
    }

    /// Ends all builds.
    func stop() async {
        await lookups.stop()
        await builds.stop()
    }
}
