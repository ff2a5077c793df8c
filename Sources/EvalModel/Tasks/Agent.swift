/// An agent under evaluation.
public struct Agent: Sendable, Hashable, Codable {
    /// The reserved name of the agent that runs the task's own `solution/solve.sh`.
    public static let oracleName = "oracle"

    public var name: String
    public var description: String?
    /// The model's name. It is only recorded.
    public var model: String?
    /// A bash script that installs the agent; nil or empty for none.
    public var install: String?
    /// A bash script that runs the agent on the instruction.
    public var execute: String?
    /// The names of the agent's environment variables. Values are not kept here, because they may be secret.
    public var environmentNames: [String]

    public init(
        name: String, description: String? = nil, model: String? = nil, install: String? = nil, execute: String? = nil,
        environmentNames: [String] = []
    ) {
        self.name = name
        self.description = description
        self.model = model
        self.install = install
        self.execute = execute
        self.environmentNames = environmentNames
    }

    /// Whether this is the oracle agent, which has no scripts and runs the task's own solution.
    public var isOracle: Bool { name == Self.oracleName }
}
