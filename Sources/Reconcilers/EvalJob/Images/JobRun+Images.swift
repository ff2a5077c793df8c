import AssayAPI
import EvalModel
import Git
import Planning
import SourceSync

/// The images that a job's trials wait for.
extension EvalJobReconciler {
    /// The state of the images that the job's tasks need built. While trials may start, builds that are not started yet are started, in the
    /// order of the tasks; otherwise the job's builds end.
    func images(of prepared: PreparedJob, target: EvalTargetSpec, mode: TrialPlanner.Mode, _ pass: inout JobPass) -> JobImages {
        guard let images else { return JobImages() }
        let builds = builds(of: prepared, target: target, images, pass)
        switch mode {
        case .run: images.want(Self.needed(builds, prepared, pass), for: pass.identity)
        case .interrupt, .stop: images.release(pass.identity)
        case .suspend: break
        }
        let found = JobImages(builds.mapValues(\.key)) { images.state(of: $0) }
        if mode == .run { pass.images = Self.status(found, prepared, pass) }
        return found
    }

    /// The builds of the job's tasks, computed once.
    private func builds(of prepared: PreparedJob, target: EvalTargetSpec, _ images: ImageBuilds, _ pass: JobPass) -> [Int: ImageBuild] {
        let image = target.image?.default
        if let known = pass.memory.state.withLock({ $0.images }), known.defaultImage == image { return known.builds }
        let spec = pass.job.spec
        let (sources, credentials, identity) = (sources, credentials, pass.identity)
        var builds: [Int: ImageBuild] = [:]
        for (index, task) in prepared.tasksToBuild(spec, defaultImage: image) {
            let source = prepared.tasks[index].taskRepo ?? prepared.source
            let folder = prepared.tasks[index].reference.path
            let context = folder.isEmpty ? "environment" : "\(folder)/environment"
            builds[index] = ImageBuild(
                key: ImageKey(context: task.environment.context ?? "", arguments: spec.environment.buildArguments, settings: images.settings),
                source: source, context: context, arguments: spec.environment.buildArguments, timeoutSec: task.environment.buildTimeoutSec
            ) { directory in
                let access = try await credentials.credentials(
                    for: source.url, secret: spec.source.secretRef?.name, namespace: identity.namespace, only: spec.source.repo)
                let tree = try await sources.resolver.tree(source, credentials: access)
                try await TreeExport(tree).export(GitPath(parsing: context), to: directory, links: .asWritten)
            }
        }
        pass.memory.state.withLock { $0.images = (image, builds) }
        return builds
    }

    /// One build for each image, in the order of the tasks, without those of tasks whose trials are all counted.
    private static func needed(_ builds: [Int: ImageBuild], _ prepared: PreparedJob, _ pass: JobPass) -> [ImageBuild] {
        var keys: Set<ImageKey> = []
        return builds.sorted { $0.key < $1.key }.compactMap { index, build in
            guard isOpen(index, prepared, pass), keys.insert(build.key).inserted else { return nil }
            return build
        }
    }

    /// Whether a trial of the task is not counted.
    private static func isOpen(_ task: Int, _ prepared: PreparedJob, _ pass: JobPass) -> Bool {
        let counted = TrialCounting.counted(in: pass.job.status)
        return prepared.trials(ofTask: task, agents: pass.job.spec.agents.count, attempts: pass.job.spec.attempts)
            .contains { range in range.contains { !counted.contains($0) } }
    }

    /// The trials that cannot start because their image is not built yet.
    static func unready(_ prepared: PreparedJob, _ images: JobImages, _ pass: JobPass) -> TrialIndexSet {
        var indexes = TrialIndexSet()
        for task in images.unready {
            for range in prepared.trials(ofTask: task, agents: pass.job.spec.agents.count, attempts: pass.job.spec.attempts) { indexes.insert(range) }
        }
        return indexes
    }

    private static func status(_ images: JobImages, _ prepared: PreparedJob, _ pass: JobPass) -> ImagesStatus? {
        let known = pass.job.status?.images
        // After a restart, images of tasks that are over are not looked up again.
        let unready = Set(images.unready.filter { isOpen($0, prepared, pass) }.compactMap { images.keys[$0] })
        let total = max(known?.total ?? 0, images.built.count + images.failed.count + unready.count)
        guard total > 0 else { return nil }
        let failed = max(known?.failed ?? 0, images.failed.count)
        return ImagesStatus(total: total, ready: total - unready.count - failed, failed: failed)
    }
}
