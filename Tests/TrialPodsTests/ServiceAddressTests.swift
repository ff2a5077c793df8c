import AssayAPI
import Base
import EvalModel
import KubeCore
import Testing
import TrialRuntime

@testable import TrialPods

@Suite("Services by their addresses")
struct ServiceAddressTests {
    private static func service(_ spec: JSONValue) -> JSONValue { ["metadata": ["name": "assay-cache", "namespace": "assay-system"], "spec": spec] }

    @Test("a port of a Service: its address, and the pods and their port behind it")
    func read() throws {
        var spec: JSONValue = [
            "clusterIP": "10.96.0.7", "selector": ["app": "x"],
            "ports": [["name": "cache", "port": 80, "targetPort": 8081], ["name": "canary", "port": 8082]],
        ]
        let cache = try ServiceAddress(Self.service(spec), port: "cache")
        #expect(cache.url == "http://10.96.0.7:80" && cache.peer == PolicyPeer(namespace: "assay-system", labels: ["app": "x"], port: 8081))
        #expect(try ServiceAddress(Self.service(spec), port: "canary").peer.port == 8082)
        spec["clusterIP"] = "fd00::7"
        #expect(try ServiceAddress(Self.service(spec), port: "canary").hostAndPort == "[fd00::7]:8082")
    }

    @Test(
        "what cannot be given to pods is refused with the reason",
        arguments: [
            (["clusterIP": "None", "selector": ["app": "x"], "ports": [["name": "cache", "port": 1]]], "no address of its own"),
            (["selector": ["app": "x"], "ports": [["name": "cache", "port": 1]]], "no address of its own"),
            (["clusterIP": "10.0.0.1", "ports": [["name": "cache", "port": 1]]], "selects no pods"),
            (["clusterIP": "10.0.0.1", "selector": ["app": "x"], "ports": [["name": "other", "port": 1]]], "no port \"cache\""),
            (["clusterIP": "10.0.0.1", "selector": ["app": "x"], "ports": [["name": "cache", "port": 1, "targetPort": "http"]]], "is a name"),
        ] as [(JSONValue, String)])
    func refused(spec: JSONValue, why: String) {
        let error = #expect(throws: ServiceAddressFailure.self) { try ServiceAddress(Self.service(spec), port: "cache") }
        #expect(error?.description.contains(why) == true && error?.description.contains("assay-system/assay-cache") == true)
    }

    @Test("the API server's addresses, of both families")
    func apiServer() {
        let slice: JSONValue = ["endpoints": [["addresses": ["192.0.2.1", "2001:db8::1"]], ["addresses": ["203.0.113.7"]]]]
        #expect(APIServerAddresses.networks(of: slice).map(\.text) == ["192.0.2.1/32", "2001:db8::1/128", "203.0.113.7/32"])
        #expect(APIServerAddresses.networks(of: [:]).isEmpty)
    }

    @Test("the check pod is a proxied pod: no names, no rights, the policy's label; it runs where the target's pods do")
    func checkPod() throws {
        let owner = OwnerReference(apiVersion: "assay.dev/v1alpha1", kind: "EvalTarget", name: "lab", uid: "uid")
        let pod = try NetworkCheckPod(TrialPodSettings(assayImage: "assay:1")).pod(
            name: "check", namespace: "team", owner: owner,
            template: PodTemplate(labels: ["assay.dev/network": "public", "team": "x"], nodeSelector: ["pool": "evals"]), allowed: "10.96.0.7:8081",
            canary: "10.96.0.7:8082")
        #expect(pod.at("metadata", "labels", "assay.dev/network")?.string == "proxied", "a template does not change it")
        #expect(pod.at("metadata", "labels", "team")?.string == "x")
        #expect(pod.at("spec", "nodeSelector") == ["pool": "evals"])
        #expect(pod.at("spec", "dnsPolicy")?.string == "None" && pod.at("spec", "dnsConfig") == ["nameservers": ["127.0.0.1"]])
        #expect(pod.at("spec", "automountServiceAccountToken")?.bool == false)
        let container = try #require(pod.at("spec", "containers")?.array?.first)
        #expect(container["command"]?.array?.last?.string == "check-network")
        #expect(container["env"]?.array?.compactMap { $0["value"]?.string } == ["10.96.0.7:8081", "10.96.0.7:8082"])
    }
}
