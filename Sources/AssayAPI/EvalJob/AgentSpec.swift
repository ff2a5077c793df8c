import EvalModel

/// An agent under evaluation.
public struct AgentSpec: Codable, Sendable, Hashable {
    /// `oracle` is reserved for the agent that runs the task's own solution.
    public var name: String
    public var description: String?
    public var model: String?
    /// A bash script.
    public var install: String?
    /// A bash script.
    public var execute: String?
    public var env: [EnvironmentVariable]
    /// The image whose `/opt/agent` the trial's container has at the same path, read-only.
    public var image: String?

    /// Hosts that install and execute may reach where the network is restricted: the API of the model.
    public var allowedHosts: [String]

    public init(
        name: String, description: String? = nil, model: String? = nil, install: String? = nil, execute: String? = nil,
        env: [EnvironmentVariable] = [], image: String? = nil, allowedHosts: [String] = []
    ) {
        self.image = image
        self.name = name
        self.description = description
        self.model = model
        self.install = install
        self.execute = execute
        self.env = env
        self.allowedHosts = allowedHosts
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        name = try values.decode(String.self, forKey: .name)
        description = try values.optional(.description)
        model = try values.optional(.model)
        install = try values.optional(.install)
        execute = try values.optional(.execute)
        env = try values.value(.env, or: [])
        image = try values.optional(.image)
        allowedHosts = try values.value(.allowedHosts, or: [])
    }

    /// The agent for the records: with the names of variables, never their values.
    public var agent: Agent {
        Agent(
            name: name, description: description, model: model, install: install, execute: execute,
            environmentNames: env.map(\.name))
    }
}

/// A variable of the agent's environment, with a value or a reference to one.
public struct EnvironmentVariable: Codable, Sendable, Hashable {
    public var name: String
    public var value: String?
    public var valueFrom: ValueSource?

    /// The source of a value.
    public struct ValueSource: Codable, Sendable, Hashable {
        public var secretKeyRef: SecretKeyReference?

        public init(secretKeyRef: SecretKeyReference? = nil) { self.secretKeyRef = secretKeyRef }
    }

    public init(name: String, value: String? = nil, valueFrom: ValueSource? = nil) {
        self.name = name
        self.value = value
        self.valueFrom = valueFrom
    }

    /// A variable whose value is a secret.
    public init(name: String, secret: SecretKeyReference) {
        self.init(name: name, valueFrom: ValueSource(secretKeyRef: secret))
    }
}
