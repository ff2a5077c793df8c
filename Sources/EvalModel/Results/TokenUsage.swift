/// Tokens of a model's input and output.
public struct TokenUsage: Sendable, Hashable, Codable {
    public var prompt: Int
    public var completion: Int
    /// The part of `prompt` that came from a cache.
    public var cached: Int

    public init(prompt: Int = 0, completion: Int = 0, cached: Int = 0) {
        self.prompt = prompt
        self.completion = completion
        self.cached = cached
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        prompt = try values.decodeIfPresent(Int.self, forKey: .prompt) ?? 0
        completion = try values.decodeIfPresent(Int.self, forKey: .completion) ?? 0
        cached = try values.decodeIfPresent(Int.self, forKey: .cached) ?? 0
    }

    public var total: Int { prompt + completion }

    public static func + (left: TokenUsage, right: TokenUsage) -> TokenUsage {
        TokenUsage(prompt: left.prompt + right.prompt, completion: left.completion + right.completion, cached: left.cached + right.cached)
    }
}

/// What an agent's trajectory says about its use of models. These are the agent's own figures; Assay does not measure them.
public struct AgentUsage: Sendable, Hashable, Codable {
    public var tokens: TokenUsage?
    /// US dollars.
    public var costUSD: Double?
    /// The number of steps in the trajectory.
    public var steps: Int?

    public init(tokens: TokenUsage? = nil, costUSD: Double? = nil, steps: Int? = nil) {
        self.tokens = tokens
        self.costUSD = costUSD
        self.steps = steps
    }
}

/// The cost of a trial and its parts.
public struct TrialCost: Sendable, Hashable, Codable {
    /// The cost of models, as reported by the agent.
    public var model: Double?
    /// The cost of the reserved resources: the target's prices times the duration of the phases.
    public var compute: Double?

    public init(model: Double? = nil, compute: Double? = nil) {
        self.model = model
        self.compute = compute
    }

    /// The sum of the known parts; nil when none is known.
    public var total: Double? {
        guard model != nil || compute != nil else { return nil }
        return (model ?? 0) + (compute ?? 0)
    }

    /// Prices are per hour of one CPU and of one GiB. Rounded to millionths, so that the same trial gives the same record.
    public static func compute(cpus: Double, memoryMB: Int, seconds: Double, cpuHour: Double?, memoryGiBHour: Double?) -> Double? {
        guard cpuHour != nil || memoryGiBHour != nil else { return nil }
        let hours = seconds / 3600
        let cost = hours * (cpus * (cpuHour ?? 0) + Double(memoryMB) / 1024 * (memoryGiBHour ?? 0))
        return cost.isFinite ? (cost * 1_000_000).rounded() / 1_000_000 : nil
    }
}
