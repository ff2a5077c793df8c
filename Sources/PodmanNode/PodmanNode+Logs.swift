import Base
import KubeCore

extension PodmanNode: PodLogProvider {
    /// The log of a container, read from its file; with `follow` the stream continues until the container ends.
    /// - Throws: `PodLogUnavailable` for a container that has not started, in the kubelet's words.
    public func log(of target: PodLogTarget, options: LogOptions) async throws -> AsyncThrowingStream<[UInt8], any Error> {
        let store = LogStore(directories: directories)
        let instances = store.instances(uid: target.uid, container: target.container)
        let worker = await dispatcher()?.worker(target.uid)
        if options.previous {
            guard instances.count > 1 else {
                throw PodLogUnavailable(message: "previous terminated container \"\(target.container)\" in pod \"\(target.pod)\" not found")
            }
            return store.stream(
                path: store.path(uid: target.uid, container: target.container, instance: instances[instances.count - 2]), options: options,
                time: clock(), isOver: { true })
        }
        guard let newest = instances.last else {
            guard let worker else {
                throw PodLogUnavailable(status: 404, message: "the logs of pod \"\(target.pod)\" are not on this node")
            }
            let reason = await worker.waitingReason(of: target.container)
            throw PodLogUnavailable(message: "container \"\(target.container)\" in pod \"\(target.pod)\" is waiting to start: \(reason)")
        }
        return store.stream(
            path: store.path(uid: target.uid, container: target.container, instance: newest), options: options, time: clock(),
            isOver: { [weak worker] in !(worker?.isRunning(target.container) ?? false) })
    }
}
