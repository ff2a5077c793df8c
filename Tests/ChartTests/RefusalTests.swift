import AssayTesting
import Base
import Testing

/// Values that the chart refuses, with what it says.
@Suite struct RefusalTests {
    @Test(
        "the schema refuses typos and values that cannot work, and names the place",
        arguments: [
            ("{replicas: 2}", "'replicas' not allowed"),
            ("{operator: {replica: 2}}", "'/operator': additional properties 'replica'"),
            ("{operator: {replicas: two}}", "'/operator/replicas'"),
            ("{operator: {workers: 0}}", "'/operator/workers'"),
            ("{operator: {logLevel: verbose}}", "'/operator/logLevel'"),
            ("{operator: {committer: me}}", "'/operator/committer'"),
            ("{operator: {pushTokens: [{address: \"https://me@github.com\", secretRef: {name: a, key: b}}]}}", "'/operator/pushTokens/0/address'"),
            ("{operator: {pushTokens: [{address: \"https://github.com\"}]}}", "missing property 'secretRef'"),
            ("{image: {digest: latest}}", "'/image/digest'"),
            ("{image: {repository: \"a@sha256:1\"}}", "'/image/repository'"),
            ("{watchNamespace: [a, b]}", "'/watchNamespace'"),
            ("{results: {enabled: true}}", "'/operator/replicas': maximum: got 2, want 1"),
            ("{results: {enabled: true}, operator: {replicas: 2}}", "'/operator/replicas'"),
            ("{repoCache: {enable: true}}", "'/repoCache'"),
            ("{toolServer: {extraSources: [{subdir: x}]}}", "missing property 'repo'"),
            ("{overlays: {sources: [{ref: main}]}}", "missing property 'repo'"),
            ("{overlays: {sources: [{repo: a/b, toolSubdir: x}]}}", "'/overlays/sources/0'"),
            ("{overlays: {sources: [{repo: a/b, ref: 1.10}]}}", "'/overlays/sources/0/ref'"),
            ("{overlays: {sources: [{repo: a/b, toolsSubdir: /x}]}}", "'/overlays/sources/0/toolsSubdir'"),
            ("{overlays: {sources: [{repo: a/b, name: A}]}}", "'/overlays/sources/0/name'"),
            ("{serviceMonitor: {interval: soon}}", "'/serviceMonitor/interval'"),
            ("{networkPolicy: {trialNamespaces: [evaluations]}}", "'trialNamespaces' not allowed"),
            ("{networkPolicy: {clusterCIDRs: [10.0.0.0]}}", "'/networkPolicy/clusterCIDRs/0'"),
            ("{egress: {replicas: many}}", "'/egress/replicas'"),
            ("{tracing: {endpoint: \"collector:4318\"}}", "'/tracing/endpoint'"),
            ("{tracing: {headersSecretRef: {name: collector}}}", "'/tracing/headersSecretRef'"),
        ])
    func schema(values: String, message: String) async throws {
        let result = try await ChartFiles.helm(["template", "assay", ChartFiles.helm.chart, "-f", values])
        #expect(!result.succeeded && result.stderrText.contains(message), "\(values): \(result.stdoutText.prefix(300))\(result.stderrText)")
    }

    @Test(
        "two different sources of one name are refused, with both places and the difference",
        arguments: [
            (
                "{overlays: {sources: [{repo: a/b, ref: v1}, {repo: c/d}, {repo: \"https://github.com/a/b.git\", ref: v2}]}}",
                "overlays.sources[0] and overlays.sources[2] are both the overlay \"a-b\", with different values of ref: \"v1\" and \"v2\""
            ),
            (
                "{toolServer: {repo: a/b, extraSources: [{repo: a/b, subdir: other}]}}",
                "toolServer and toolServer.extraSources[0] are both the overlay \"a-b\", with different values of toolsSubdir: \"tools\" and \"other\""
            ),
            (
                "{overlays: {sources: [{repo: a/b.c}, {repo: a/b-c}]}}",
                "with different values of repo: \"a/b.c\" and \"a/b-c\""
            ),
            (
                "{overlays: {sources: [{repo: a/b, secretRef: {name: one}}, {repo: \"git@github.com:a/b\", secretRef: {name: two}}]}}",
                "with different values of secretRef"
            ),
            ("{overlays: {sources: [{repo: a/b, name: x}, {repo: c/d, name: x}]}}", "are both the overlay \"x\""),
        ])
    func conflicts(values: String, message: String) async throws {
        let result = try await ChartFiles.helm(["template", "assay", ChartFiles.helm.chart, "-f", values])
        #expect(!result.succeeded && result.stderrText.contains(message), "\(values): \(result.stdoutText.prefix(300))\(result.stderrText)")
        #expect(result.stderrText.contains("give one a name of its own"))
    }

    @Test("with names of their own, two refs of one repository are two overlays")
    func names() async throws {
        let rendered = try await ChartFiles.helm.template([
            "{overlays: {sources: [{repo: a/b, ref: v1, name: one}, {repo: a/b, ref: v2, name: two}]}}"
        ])
        #expect(try ChartFiles.objects("OverlaySource", in: rendered).count == 2)
    }
}
