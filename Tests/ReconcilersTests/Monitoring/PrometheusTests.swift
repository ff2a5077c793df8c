import AssayTesting
import Base
import Egress
import EvalModel
import Foundation
import KubeClient
import KubeCore
import Operations
import Reconcilers
import Subprocess
import Testing
import YAML

/// A real Prometheus, with the chart's rules, beside an operator that runs a job; and the queries of the chart's dashboard.
@Suite("Prometheus")
struct PrometheusTests {
    private static let values = "{prometheusRule: {enabled: true}, grafanaDashboard: {enabled: true}}"

    /// The groups of the chart's PrometheusRule.
    private func groups(_ rendered: String) throws -> JSONValue {
        let rule = try YAML.parse(rendered).first { $0["kind"] == "PrometheusRule" }
        return ["groups": try #require(rule?.at("spec", "groups"))]
    }

    /// Every `for` in evaluations: a Prometheus that evaluates every second waits as many evaluations as one that evaluates every 30 s, which is
    /// what the Prometheus operator sets. Expressions and labels stay as they are.
    private func inEvaluations(_ groups: JSONValue) -> JSONValue {
        let changed = (groups["groups"]?.array ?? []).map { group in
            var group = group
            group["rules"] = .array(
                (group["rules"]?.array ?? []).map { rule in
                    var rule = rule
                    if let minutes = rule["for"]?.string.flatMap({ Int($0.dropLast()) }) { rule["for"] = .string("\(minutes * 2)s") }
                    return rule
                })
            return group
        }
        return ["groups": .array(changed)]
    }

    /// The queries of the dashboard, by the title of their panel.
    private func queries(_ rendered: String) throws -> [(panel: String, expression: String)] {
        let map = try YAML.parse(rendered).first { $0.at("metadata", "name") == "assay-dashboard" }
        let dashboard = try JSONValue(parsing: Array(try #require(map?.at("data", "assay.json")?.string).utf8))
        return (dashboard["panels"]?.array ?? []).flatMap { panel in
            (panel["targets"]?.array ?? []).map { target in
                (panel["title"]?.string ?? "", (target["expr"]?.string ?? "").replacing("$namespace", with: "assay-system"))
            }
        }
    }

    @Test("a job is measured, no panel of the dashboard is empty, and AssayNoOperator fires when the operator is gone and ends when it is back")
    func aJob() async throws {
        let rendered = try await World.helm.template([Self.values])
        try await World.run(fate: { _ in .successWithUsage(1, AgentUsage()) }) { world in
            let subject = try world.startOperator()
            let health = HealthServer(metrics: { subject.metricsText })
            let port = try health.start(port: 0, everyAddress: false)
            let egressMetrics = MetricsRegistry()
            let proxy = EgressProxy(
                .init(listeners: [try EgressListener(parsing: "127.0.0.1:0")], keys: { [] }, metrics: egressMetrics, log: Log("egress")))
            _ = try proxy.start()
            let proxyHealth = HealthServer(metrics: { egressMetrics.prometheusText() })
            let rules = inEvaluations(try groups(rendered))
            try FileWriting.replace("\(world.path)/rules.yaml", with: rules.serialized())
            let prometheus = try Prometheus(
                in: world.path,
                targets: [
                    .init(port: Int(port), namespace: "assay-system", pod: "assay-operator-7d4b9c-x2x7k"),
                    .init(port: Int(try proxyHealth.start(port: 0, everyAddress: false)), namespace: "assay-system", pod: "assay-egress-5f6-abcde"),
                ], rules: "\(world.path)/rules.yaml")
            let started = await eventually { await prometheus.isReady() }
            try #require(started, "\(prometheus.log)")

            try await world.createJob(with: ["attempts": 2])
            try await world.waitForEnd()
            try await world.expectNoPods()

            // What happened is in the numbers.
            for (expression, least) in [
                (#"sum(assay_trials_total{result="completed"})"#, 4.0), (#"sum(assay_api_requests_total{verb="create",code="201"})"#, 4),
                (#"sum(assay_api_request_seconds_count{verb="watch"})"#, 4), (#"assay_git_fetches_total{kind="clone",result="ok"}"#, 1),
                (#"assay_ledger_pushes_total{result="pushed"}"#, 1), ("assay_ledger_records_total", 5), ("assay_ledger_lag_seconds_count", 5),
                ("sum(assay_ledger_batch_records_sum)", 5), (#"assay_workqueue_adds_total{controller="evaljob"}"#, 1),
                (#"assay_workqueue_wait_seconds_count{controller="evaljob"}"#, 1), (#"assay_reconcile_total{controller="evaljob",result="done"}"#, 1),
                (#"assay_cache_requests_total{cache="mirrors",result="miss"}"#, 1), (#"assay_cache_bytes{cache="mirrors"}"#, 1000),
                ("assay_leader", 1),
                (#"assay_trial_phase_seconds_count{phase="execute"}"#, 4),
            ] {
                let measured = Locked<Double?>(nil)
                let enough = try await eventually {
                    let value = try await prometheus.query(expression).first?.value
                    measured.withLock { $0 = value }
                    return value.map { $0 >= least } ?? false
                }
                #expect(enough, "\(expression) is \(measured.withLock { $0 }.map { "\($0)" } ?? "nothing"), not \(least)")
            }

            let queries = try queries(rendered)
            #expect(queries.count >= 25)
            for (panel, expression) in queries {
                let isAnswered = try await eventually(within: 30) { try await !prometheus.query(expression).isEmpty }
                #expect(isAnswered, "the panel \"\(panel)\" is empty: \(expression)")
            }

            // No label has the name of an object, nor of a host.
            let labels = try await prometheus.query(#"{__name__=~"assay_.+"}"#).flatMap {
                $0.labels.filter { !["instance", "pod"].contains($0.key) }
            }
            let texts = Set(labels.map(\.value))
            #expect(texts.isDisjoint(with: ["job", "a", "b", "scripted", "default"]) && !texts.contains { $0.contains("127.0.0.1") }, "\(texts)")
            // Nothing was measured with a value that the catalogue does not have.
            let others = try await prometheus.query(#"{__name__=~"assay_.+"} > 0"#).filter { $0.labels.values.contains("other") }
            #expect(others.isEmpty, "\(others)")

            let known = try await prometheus.rules()
            #expect(Set(known.names) == Set(alerts(rules)) && known.broken.isEmpty, "\(known)")
            for name in known.names { #expect(try await prometheus.state(ofAlert: name) == "inactive", "\(name)") }
            // The target goes away.
            health.stop()
            let fires = try await eventually(within: 120) { try await prometheus.state(ofAlert: "AssayNoOperator") == "firing" }
            #expect(fires)
            #expect(try await prometheus.query(#"ALERTS{alertname="AssayNoOperator",alertstate="firing",severity="critical"}"#).count == 1)
            let again = HealthServer(metrics: { subject.metricsText })
            _ = try again.start(port: port, everyAddress: false)
            let ends = try await eventually(within: 120) { try await prometheus.state(ofAlert: "AssayNoOperator") == "inactive" }
            #expect(ends)
            #expect(prometheus.log.isEmpty, "\(prometheus.log)")

            await prometheus.stop()
            again.stop()
            proxyHealth.stop()
            proxy.stop(drainSeconds: 0)
            await subject.stop()
        }
    }

    private func alerts(_ groups: JSONValue) -> [String] {
        (groups["groups"]?.array ?? []).flatMap { $0["rules"]?.array ?? [] }.compactMap { $0["alert"]?.string }
    }

    /// Input series under which an alert fires. The time of the last sample is when it must fire, with the rule's own `for`.
    private static let alarms: [(alert: String, series: [(series: String, values: String)], minutes: Int, labels: JSONValue)] = [
        ("AssayNoOperator", [(#"assay_watch_age_seconds{namespace="other",pod="assay-operator-a",resource="pods"}"#, "1x60")], 6, ["pod": ""]),
        (
            "AssayWatchStale", [(#"assay_watch_age_seconds{namespace="assay-system",pod="assay-operator-a",resource="pods"}"#, "0+60x60")], 13,
            ["namespace": "assay-system", "pod": "assay-operator-a", "resource": "pods"]
        ),
        (
            "AssayReconcileErrors",
            [(#"assay_reconcile_errors_total{namespace="assay-system",pod="assay-operator-a",controller="evaljob"}"#, "0+12x60")], 25,
            ["namespace": "assay-system", "controller": "evaljob"]
        ),
        (
            "AssayQueueGrows", [(#"assay_workqueue_depth{namespace="assay-system",pod="assay-operator-a",controller="evaljob"}"#, "51x60")], 16,
            ["namespace": "assay-system", "controller": "evaljob"]
        ),
        (
            "AssayInfrastructureFailures",
            [
                (#"assay_trials_total{namespace="assay-system",pod="assay-operator-a",result="infrastructure"}"#, "0+1x60"),
                (#"assay_trials_total{namespace="assay-system",pod="assay-operator-a",result="completed"}"#, "0+3x60"),
            ], 20, ["namespace": "assay-system"]
        ),
        (
            "AssayResultsWait", [(#"assay_ledger_oldest_pending_seconds{namespace="assay-system",pod="assay-operator-a"}"#, "0+60x60")], 22,
            ["namespace": "assay-system", "pod": "assay-operator-a"]
        ),
    ]

    @Test("each alert of the chart fires after its own time on what it is about, by promtool's clock")
    func everyAlert() async throws {
        let rendered = try await World.helm.template([Self.values])
        let rules = try groups(rendered)
        #expect(Set(alerts(rules)) == Set(Self.alarms.map(\.alert)))
        let folder = "\(NSTemporaryDirectory())/assay-rules-\(UUID().uuidString)"
        try Directory.make(folder)
        defer { Directory.removeTree(folder) }
        try FileWriting.replace("\(folder)/rules.yaml", with: rules.serialized())
        for alarm in Self.alarms {
            let rule = try #require(rules["groups"]?.array?.flatMap { $0["rules"]?.array ?? [] }.first { $0["alert"]?.string == alarm.alert })
            var labels = alarm.labels.object ?? [:]
            labels["severity"] = rule.at("labels", "severity")
            if alarm.alert == "AssayNoOperator" { labels = ["severity": "critical", "namespace": "assay-system"] }
            let expected: JSONValue = ["exp_labels": .object(labels), "exp_annotations": try annotations(rule, labels)]
            let test: JSONValue = [
                "rule_files": ["rules.yaml"], "evaluation_interval": "1m",
                "tests": [
                    [
                        "interval": "1m",
                        "input_series": .array(alarm.series.map { ["series": .string($0.series), "values": .string($0.values)] }),
                        "alert_rule_test": [
                            ["eval_time": "0m", "alertname": .string(alarm.alert), "exp_alerts": []],
                            ["eval_time": .string("\(alarm.minutes)m"), "alertname": .string(alarm.alert), "exp_alerts": [expected]],
                        ],
                    ]
                ],
            ]
            try FileWriting.replace("\(folder)/test.yaml", with: test.serialized())
            let result = try await Command("promtool", ["test", "rules", "test.yaml"], workingDirectory: folder, deadlineSeconds: 60).run()
            #expect(result.succeeded, "\(alarm.alert): \(result.stdoutText)\(result.stderrText)")
        }
    }

    /// The annotations with the labels filled in.
    private func annotations(_ rule: JSONValue, _ labels: [String: JSONValue]) throws -> JSONValue {
        .object(
            try #require(rule["annotations"]?.object).mapValues { text in
                .string(
                    labels.reduce(text.string ?? "") { text, label in
                        text.replacing("{{ $labels.\(label.key) }}", with: label.value.string ?? "")
                    })
            })
    }
}
