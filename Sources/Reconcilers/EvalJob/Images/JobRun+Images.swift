import AssayAPI
import EvalModel
import Git
import Planning
import SourceSync
import TrialRuntime

/// The images that a job's trials wait for.
extension EvalJobReconciler {
    /// The state of the images that the job's tasks need built. While trials may start, builds that are not started yet are started, in the
    /// order of the tasks; otherwise the job's builds end.
    func images(of prepared: PreparedJob, target: EvalTargetSpec, mode: TrialPlanner.Mode, _ pass: inout JobPass) -> JobImages {
        let builds = builds(of: prepared, target: target, pass)
        guard !builds.isEmpty else { return JobImages() }
        let (counted, spec) = (TrialCounting.counted(in: pass.job.status), pass.job.spec)
        let isOpen: (_ task: Int) -> Bool = { task in
            prepared.trials(ofTask: task, agents: spec.agents.count, attempts: spec.attempts)
                .contains { counted.firstMissing(from: $0.lowerBound, below: $0.upperBound + 1) != nil }
        }
        switch mode {
        case .run: images.want(Self.needed(builds, isOpen), for: pass.identity)
        case .interrupt, .stop: images.release(pass.identity)
        case .suspend: break
        }
        let found = JobImages(builds.mapValues(\.key)) { images.state(of: $0) }
        if mode == .run { pass.images = Self.status(found, known: pass.job.status?.images, isOpen) }
        return found
    }

    /// The builds of the job's tasks, computed once.
    private func builds(of prepared: PreparedJob, target: EvalTargetSpec, _ pass: JobPass) -> [ImageUse: ImageBuild] {
        if let known = pass.memory.state.withLock({ $0.images }), known.target == target { return known.builds }
        let spec = pass.job.spec
        guard let place = images.place(of: spec, namespace: pass.identity.namespace, target) else { return [:] }
        let (sources, credentials, identity) = (sources, credentials, pass.identity)
        var builds: [ImageUse: ImageBuild] = [:]
        for (use, wanted) in prepared.imagesToBuild(spec, defaultImage: target.defaultImage) {
            let task = prepared.tasks[use.task]
            let source = task.taskRepo ?? prepared.source
            let folder = task.reference.path
            let context = folder.isEmpty ? wanted.folder : "\(folder)/\(wanted.folder)"
            let build = wanted.build
            let arguments = build.arguments.merging(spec.environment.buildArguments) { $1 }
            builds[use] = ImageBuild(
                key: ImageKey(context: wanted.context, arguments: arguments, dockerfile: build.dockerfile, stage: build.target, place: place),
                source: source, context: context, arguments: arguments, dockerfile: build.dockerfile, stage: build.target,
                timeoutSec: wanted.timeoutSec * spec.timeoutMultiplier, namespace: identity.namespace,
                target: target, sourceSecret: Self.secret(for: source, spec)
            ) { directory in
                let access = try await credentials.credentials(
                    for: source.url, secret: spec.source.secretRef?.name, namespace: identity.namespace, only: spec.source.repo)
                let tree = try await sources.resolver.tree(source, credentials: access)
                try await TreeExport(tree).export(GitPath(parsing: context), to: directory, links: .asWritten)
            }
        }
        pass.memory.state.withLock { $0.images = (target, builds) }
        return builds
    }

    /// The job's Secret, if the repository is on the host that it is for.
    private static func secret(for source: PinnedSource, _ spec: EvalJobSpec) -> LocalReference? {
        source.url.sharesOrigin(with: spec.source.repo, allowing: [.local, .loopbackHTTP, .shorthand]) ? spec.source.secretRef : nil
    }

    /// Looks up again what a pod could not get, once for each pod: somebody may have removed an image that was built.
    func lookAgain(_ ended: [JobTrials.Found], _ images: JobImages, _ context: PlannedJob, _ pass: JobPass) {
        for (pod, fate) in ended where fate.end?.error?.type == .environmentImagePullFailed {
            guard let trial = context.prepared.matrix.coordinate(at: pod.identity.index),
                pass.memory.state.withLock({ $0.missedImages.insert(pod.uid).inserted })
            else { continue }
            for (use, key) in images.keys where use.task == trial.taskIndex { self.images.lookAgain(key) }
        }
    }

    /// One build for each image, in the order of the tasks, without those of tasks whose trials are all counted.
    private static func needed(_ builds: [ImageUse: ImageBuild], _ isOpen: (_ task: Int) -> Bool) -> [ImageBuild] {
        var keys: Set<ImageKey> = []
        return builds.sorted { $0.key < $1.key }.compactMap { use, build in
            guard isOpen(use.task), keys.insert(build.key).inserted else { return nil }
            return build
        }
    }

    /// The trials that cannot start because their image is not built yet.
    static func unready(_ prepared: PreparedJob, _ images: JobImages, _ pass: JobPass) -> TrialIndexSet {
        var indexes = TrialIndexSet()
        for task in images.unready {
            for range in prepared.trials(ofTask: task, agents: pass.job.spec.agents.count, attempts: pass.job.spec.attempts) { indexes.insert(range) }
        }
        return indexes
    }

    private static func status(_ images: JobImages, known: ImagesStatus?, _ isOpen: (_ task: Int) -> Bool) -> ImagesStatus? {
        // After a restart, images of tasks that are over are not looked up again.
        let unready = Set(images.unreadyUses.filter { isOpen($0.task) }.compactMap { images.keys[$0] })
        let total = max(known?.total ?? 0, images.built.count + images.failed.count + unready.count)
        guard total > 0 else { return nil }
        // An image whose build failed before a restart may be built again.
        let failed = min(max(known?.failed ?? 0, images.failed.count), total - unready.count)
        return ImagesStatus(total: total, ready: total - unready.count - failed, failed: failed)
    }
}
