import Base
import TrialRuntime

extension PodSnapshot {
    /// A service of the trial: what its pod says of it.
    public struct Service: Sendable, Hashable {
        /// As the Compose file has it.
        public var name: String
        public var image: String
        /// Whether it runs until the trial is over.
        public var isServer: Bool
        /// Seconds that its health check allows it to start; nil for one without.
        public var checkSeconds: Double?
        /// nil until its node reports it.
        public var state: State?
        /// How its last instance ended, when it was started again or waits for that.
        public var last: Termination?
        public var restarts = 0
        /// Whether its health check has succeeded.
        public var hasStarted = false

        public init(name: String, image: String = "", isServer: Bool = true, checkSeconds: Double? = nil) {
            self.name = name
            self.image = image
            self.isServer = isServer
            self.checkSeconds = checkSeconds
        }

        /// nil for a container that is no service's.
        init?(_ container: JSONValue) {
            guard case .service(let name)? = container["name"]?.string.flatMap(ContainerRole.init(containerName:)) else { return nil }
            self.init(name: name, image: container["image"]?.string ?? "", isServer: container["restartPolicy"]?.string == "Always")
            if let probe = container["startupProbe"] {
                let (period, failures) = (probe["periodSeconds"]?.int ?? 10, probe["failureThreshold"]?.int ?? 3)
                checkSeconds = Double((probe["initialDelaySeconds"]?.int ?? 0) + period * failures + (probe["timeoutSeconds"]?.int ?? 1))
            }
        }

        mutating func read(_ status: JSONValue) {
            state = PodSnapshot.state(status["state"])
            last = PodSnapshot.state(status["lastState"])?.termination
            restarts = status["restartCount"]?.int ?? 0
            hasStarted = status["started"]?.bool ?? false
        }

        /// Whether an instance of it runs, or has run.
        public var hasBegun: Bool { last != nil || state?.isRunning == true || state?.isTerminated == true }

        /// Whether what comes after it may begin. Without a health check, a server has started as soon as it ran.
        public var isReady: Bool {
            guard isServer else { return state?.termination?.exitCode == 0 }
            return hasStarted || checkSeconds == nil && last.map { !$0.isStartFailure } ?? false
        }
    }
}
