import AssayTesting
import Base
import Foundation
import Glibc
import HTTPTransport
import Subprocess
import Testing

/// A Prometheus of Debian's package, as a process that reads targets on loopback every second. Stopped when it is released.
final class Prometheus: Sendable {
    /// What is scraped, with the labels that a ServiceMonitor gives.
    struct Target: Sendable {
        var port: Int
        var namespace: String
        var pod: String
    }

    struct Sample: Sendable {
        var labels: [String: String]
        var value: Double
    }

    struct Failure: Error, CustomStringConvertible { let description: String }

    private let port: Int
    private let running: RunningCommand
    private let output = Locked("")

    /// - Parameters:
    ///   - directory: for its data and its configuration.
    ///   - rules: a file of rules.
    init(in directory: String, targets: [Target], rules: String) throws {
        port = try freePorts(1)[0]
        let configuration: JSONValue = [
            "global": ["scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"], "rule_files": [.string(rules)],
            "scrape_configs": [
                [
                    "job_name": "assay", "metrics_path": "/metrics",
                    "static_configs": .array(
                        targets.map { target in
                            [
                                "targets": [.string("127.0.0.1:\(target.port)")],
                                "labels": ["namespace": .string(target.namespace), "pod": .string(target.pod)],
                            ]
                        }),
                ]
            ],
        ]
        // YAML contains JSON.
        try FileWriting.replace("\(directory)/prometheus.yaml", with: configuration.serialized())
        let output = output
        running = try RunningCommand.start(
            Command(
                "prometheus",
                [
                    "--config.file=\(directory)/prometheus.yaml", "--storage.tsdb.path=\(directory)/prometheus",
                    "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
                ], deadlineSeconds: 900), onStderr: { bytes in output.withLock { $0 += String(decoding: bytes, as: UTF8.self) } })
    }

    deinit { running.signal(SIGKILL) }

    /// What it has logged: warnings and errors.
    var log: String { output.withLock { $0 } }

    func stop() async {
        running.signal(SIGTERM)
        _ = await running.wait()
    }

    func isReady() async -> Bool { (try? await get("/-/ready").status) == 200 }

    /// The answer to an instant query.
    func query(_ expression: String) async throws -> [Sample] {
        let data = try await answer("/api/v1/query?query=\(try encoded(expression))")
        return (data["result"]?.array ?? []).map { sample in
            Sample(
                labels: (sample["metric"]?.object ?? [:]).compactMapValues(\.string),
                value: sample["value"]?[1]?.string.flatMap { $0 == "NaN" ? .nan : Double($0) } ?? .nan)
        }
    }

    /// The state of an alert: `inactive`, `pending` or `firing`.
    func state(ofAlert name: String) async throws -> String? {
        for group in try await answer("/api/v1/rules?type=alert")["groups"]?.array ?? [] {
            for rule in group["rules"]?.array ?? [] where rule["name"]?.string == name { return rule["state"]?.string }
        }
        return nil
    }

    /// The names of the rules that it has, and those that it cannot evaluate.
    func rules() async throws -> (names: [String], broken: [String]) {
        let rules = try await answer("/api/v1/rules")["groups"]?.array?.flatMap { $0["rules"]?.array ?? [] } ?? []
        return (rules.compactMap { $0["name"]?.string }, rules.filter { $0["health"] == "err" }.compactMap { $0["name"]?.string })
    }

    private func answer(_ path: String) async throws -> JSONValue {
        let (status, body) = try await get(path)
        let answer = try JSONValue(parsing: body)
        guard status == 200, let data = answer["data"] else {
            throw Failure(description: "\(path): \(status) \(answer["error"]?.string ?? "")")
        }
        return data
    }

    private func get(_ path: String) async throws -> (status: Int, body: [UInt8]) {
        let response = try await HTTPTransport.shared.send(
            HTTPRequest(url: "http://127.0.0.1:\(port)\(path)", timeouts: HTTPTimeouts(total: 30), proxy: .none))
        return (response.status, try await response.body.collect(upTo: 16 << 20))
    }

    private func encoded(_ text: String) throws -> String {
        try #require(text.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
    }
}
