/// Tokens that a model read and wrote.
public struct TokenUsage: Sendable, Hashable, Codable {
    public var prompt: Int
    public var completion: Int
    /// Those of `prompt` that came from a cache.
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

/// What an agent's own trajectory says of its use of models. The agent wrote it: it is told, not measured.
public struct AgentUsage: Sendable, Hashable, Codable {
    public var tokens: TokenUsage?
    /// US dollars.
    public var costUSD: Double?
    /// Steps of the trajectory.
    public var steps: Int?

    public init(tokens: TokenUsage? = nil, costUSD: Double? = nil, steps: Int? = nil) {
        self.tokens = tokens
        self.costUSD = costUSD
        self.steps = steps
    }
}

/// What a trial cost, and for what.
public struct TrialCost: Sendable, Hashable, Codable {
    /// What the agent says it paid for models.
    public var model: Double?
    /// The target's prices for what the trial had reserved, for as long as its phases took.
    public var compute: Double?

    public init(model: Double? = nil, compute: Double? = nil) {
        self.model = model
        self.compute = compute
    }

    /// What is known together; nil when nothing is.
    public var total: Double? {
        guard model != nil || compute != nil else { return nil }
        return (model ?? 0) + (compute ?? 0)
    }

    /// Prices are per hour of one CPU and of one GiB. Rounded to millionths, so that the same trial has the same record.
    public static func compute(cpus: Double, memoryMB: Int, seconds: Double, cpuHour: Double?, memoryGiBHour: Double?) -> Double? {
        guard cpuHour != nil || memoryGiBHour != nil else { return nil }
        let hours = seconds / 3600
        let cost = hours * (cpus * (cpuHour ?? 0) + Double(memoryMB) / 1024 * (memoryGiBHour ?? 0))
        return cost.isFinite ? (cost * 1_000_000).rounded() / 1_000_000 : nil
    }
}
