import Base
import HTTPTransport

/// Where traces go, from the standard environment variables of OpenTelemetry.
public struct TraceSettings: Sendable {
    /// The address for `POST`, with its path.
    public var url: String
    /// With those of `OTEL_EXPORTER_OTLP_HEADERS`, which may hold credentials.
    public var headers: HTTPHeaders
    public var tls: TLSOptions
    /// Attributes of the process.
    public var resource: [String: String]
    /// Of this program.
    public var version: String
    /// Seconds for one request.
    public var requestSeconds = 10.0
    /// Seconds for one batch with all its attempts.
    public var batchSeconds = 30.0
    /// Seconds for which spans are gathered.
    public var delaySeconds = 5.0
    /// Spans that may wait. Further ones are dropped.
    public var queueLimit = 2048
    /// Spans in one request.
    public var batchLimit = 512

    public init(url: String, headers: HTTPHeaders = [:], tls: TLSOptions = TLSOptions(), resource: [String: String], version: String) {
        self.url = url
        self.headers = headers
        self.tls = tls
        self.resource = resource
        self.version = version
    }

    /// The address for messages: what follows a question mark may be a credential.
    public var server: String { String(url.prefix { $0 != "?" }) }

    /// Reads the variables.
    ///
    /// As OpenTelemetry asks for, nothing in them stops the program: what is wrong is left out, and told.
    /// - Parameter warnings: gets sentences about variables that have no effect.
    /// - Returns: nil when no traces are to be exported.
    public static func read(_ environment: [String: String], version: String, warnings: inout [String]) -> TraceSettings? {
        let variables = TraceVariables(environment)
        guard variables["OTEL_SDK_DISABLED"]?.lowercased() != "true" else { return nil }
        let exporters = variables["OTEL_TRACES_EXPORTER"].map { $0.split(separator: ",").map(\.trimmed) }
        let signal = variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
        let common = variables["OTEL_EXPORTER_OTLP_ENDPOINT"].map { ($0.hasSuffix("/") ? String($0.dropLast()) : $0) + "/v1/traces" }
        // Without any of them nothing is exported, though the standard's default is a server on this machine: most have none.
        guard exporters != nil || signal != nil || common != nil, exporters != ["none"] else { return nil }
        guard exporters?.contains("otlp") ?? true else {
            warnings.append(
                "no traces are exported: OTEL_TRACES_EXPORTER is \"\(exporters?.joined(separator: ",") ?? "")\", and there is only otlp and none")
            return nil
        }
        let url = signal ?? common ?? "http://localhost:4318/v1/traces"
        guard HTTPTransport.accepts(url: url) else {
            warnings.append("no traces are exported: \"\(url.replacingControls)\" is no http:// or https:// address without user and password")
            return nil
        }
        let transfer = variables.ofTraces("PROTOCOL")
        if let (name, value) = transfer, value != "http/json" {
            warnings.append(
                "no traces are exported: \(name) is \"\(value)\", and Assay exports http/json only, which every OpenTelemetry collector takes")
            return nil
        }
        var settings = TraceSettings(
            url: url, headers: variables.headers(&warnings), tls: variables.tls, resource: variables.resource(version), version: version)
        settings.read(variables, &warnings)
        return settings
    }

    private mutating func read(_ variables: TraceVariables, _ warnings: inout [String]) {
        if let (name, text) = variables.ofTraces("TIMEOUT") { requestSeconds = variables.seconds(name, text, &warnings) ?? requestSeconds }
        func milliseconds(_ name: String) -> Double? { variables[name].flatMap { variables.seconds(name, $0, &warnings) } }
        delaySeconds = milliseconds("OTEL_BSP_SCHEDULE_DELAY") ?? delaySeconds
        batchSeconds = milliseconds("OTEL_BSP_EXPORT_TIMEOUT") ?? batchSeconds
        queueLimit = variables.count("OTEL_BSP_MAX_QUEUE_SIZE", &warnings) ?? queueLimit
        batchLimit = min(queueLimit, variables.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &warnings) ?? batchLimit)
        if let (name, value) = variables.ofTraces("COMPRESSION"), value != "none" {
            warnings.append("\(name) has no effect: traces are sent without compression")
        }
        if let sampler = variables["OTEL_TRACES_SAMPLER"], sampler != "always_on", sampler != "parentbased_always_on" {
            warnings.append("OTEL_TRACES_SAMPLER has no effect: every job is exported")
        }
    }
}

/// The variables of OpenTelemetry. An empty one is as one that is not set.
struct TraceVariables {
    private let environment: [String: String]

    init(_ environment: [String: String]) { self.environment = environment }

    subscript(_ name: String) -> String? { environment[name].map(\.trimmed).flatMap { $0.isEmpty ? nil : $0 } }

    /// The variable for traces, else the one for all signals.
    func ofTraces(_ end: String) -> (name: String, value: String)? {
        for name in ["OTEL_EXPORTER_OTLP_TRACES_\(end)", "OTEL_EXPORTER_OTLP_\(end)"] {
            if let value = self[name] { return (name, value) }
        }
        return nil
    }

    func seconds(_ name: String, _ text: String, _ warnings: inout [String]) -> Double? {
        guard let milliseconds = Int(text), milliseconds >= 0 else {
            warnings.append("\(name) has no effect: \"\(text.replacingControls)\" is no number of milliseconds")
            return nil
        }
        // The standard has no time without an end; neither has Assay.
        return milliseconds == 0 ? nil : Double(milliseconds) / 1000
    }

    func count(_ name: String, _ warnings: inout [String]) -> Int? {
        guard let text = self[name] else { return nil }
        guard let count = Int(text), count > 0 else {
            warnings.append("\(name) has no effect: \"\(text.replacingControls)\" is no number above 0")
            return nil
        }
        return count
    }

    /// Both variables together; those for traces win. Nothing of a value is told: it may be a credential.
    func headers(_ warnings: inout [String]) -> HTTPHeaders {
        var fields: [String: (name: String, value: String)] = [:]
        for variable in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"] {
            for (name, value) in pairs(variable) {
                let isToken = !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
                guard isToken, !value.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
                    warnings.append("a part of \(variable) has no effect: it is no NAME=VALUE of a header")
                    continue
                }
                fields[name.lowercased()] = (name, value)
            }
        }
        var headers: HTTPHeaders = [:]
        for (_, field) in fields.sorted(by: { $0.key < $1.key }) { headers.add(field.name, field.value) }
        return headers
    }

    var tls: TLSOptions {
        TLSOptions(
            authorities: ofTraces("CERTIFICATE").map { .file($0.value) }, clientCertificate: ofTraces("CLIENT_CERTIFICATE").map { .file($0.value) },
            clientKey: ofTraces("CLIENT_KEY").map { .file($0.value) })
    }

    func resource(_ version: String) -> [String: String] {
        var resource = ["service.name": "assay", "service.version": version]
        for (name, value) in pairs("OTEL_RESOURCE_ATTRIBUTES") where !name.isEmpty { resource[name] = value }
        if let name = self["OTEL_SERVICE_NAME"] { resource["service.name"] = name }
        return resource
    }

    /// `name=value,name=value`, percent-encoded as W3C Baggage.
    private func pairs(_ variable: String) -> [(name: String, value: String)] {
        (self[variable] ?? "").split(separator: ",").map { part in
            let equals = part.firstIndex(of: "=") ?? part.endIndex
            let value = equals == part.endIndex ? "" : String(part[part.index(after: equals)...])
            return (percentDecoded(part[..<equals].trimmed), percentDecoded(value.trimmed))
        }
    }
}
