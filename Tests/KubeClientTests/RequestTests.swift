import Base
import KubeCore
import Testing

@Suite struct RequestTests {
    static let evalJobs = ResourceType(
        group: "assay.dev", version: "v1alpha1", plural: "evaljobs", kind: "EvalJob", namespaced: true)

    @Test(
        arguments: [
            (ResourceType.pods, nil, nil, nil, "/api/v1/pods"),
            (.pods, "", nil, nil, "/api/v1/pods"),
            (.pods, "team-a", nil, nil, "/api/v1/namespaces/team-a/pods"),
            (.pods, "team-a", "x", nil, "/api/v1/namespaces/team-a/pods/x"),
            (.pods, "team-a", "x", "log", "/api/v1/namespaces/team-a/pods/x/log"),
            (.nodes, nil, "n:1 é", nil, "/api/v1/nodes/n%3A1%20%C3%A9"),
            (.namespaces, nil, "team-a", "status", "/api/v1/namespaces/team-a/status"),
            (.leases, "a", "b", nil, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b"),
            (evalJobs, "a", "j", "status", "/apis/assay.dev/v1alpha1/namespaces/a/evaljobs/j/status"),
        ] as [(ResourceType, String?, String?, String?, String)])
    func paths(type: ResourceType, namespace: String?, name: String?, subresource: String?, path: String) throws {
        #expect(try KubeRequest.path(type, namespace: namespace, name: name, subresource: subresource) == path)
    }

    @Test(
        arguments: [
            (ResourceType.pods, "a", ""), (.pods, "a", "."), (.pods, "a", ".."), (.pods, "a", "x/y"), (.pods, "a", "%2e"),
            (.pods, "..", "x"), (.pods, "a/b", "x"), (.pods, "", "x"), (.nodes, "a", "x"), (.pods, "a", "x\n"),
        ] as [(ResourceType, String, String)])
    func namesThatWouldChangeThePathAreRefused(type: ResourceType, namespace: String, name: String) {
        #expect(throws: KubeRequestError.self) { try KubeRequest.path(type, namespace: namespace, name: name) }
        #expect(throws: KubeRequestError.self) {
            try KubeRequest.delete(type, ObjectKey(namespace: namespace, name: name))
        }
    }

    @Test func aListDropsItsVersionBesideAToken() throws {
        let first = try KubeRequest.list(
            .pods, namespace: "a",
            options: ListOptions(labelSelector: "x in (a, b)", resourceVersion: "7", resourceVersionMatch: .exact))
        #expect(
            first.target
                == "/api/v1/namespaces/a/pods?labelSelector=x%20in%20%28a%2C%20b%29&limit=500&resourceVersion=7&resourceVersionMatch=Exact")
        let next = try KubeRequest.list(
            .pods, namespace: nil, options: ListOptions(limit: 2, continueToken: "a+b/c=", resourceVersion: "7"))
        #expect(next.target == "/api/v1/pods?limit=2&continue=a%2Bb%2Fc%3D")
        #expect(try KubeRequest.list(.pods, namespace: nil, options: ListOptions(limit: nil)).target == "/api/v1/pods")
    }

    @Test func watches() throws {
        let plain = try KubeRequest.watch(
            .pods, namespace: "a", options: WatchOptions(resourceVersion: "7", timeoutSeconds: 300))
        #expect(
            plain.target
                == "/api/v1/namespaces/a/pods?watch=true&resourceVersion=7&timeoutSeconds=300&allowWatchBookmarks=true")
        let streaming = try KubeRequest.watch(
            .pods, namespace: nil,
            options: WatchOptions(resourceVersionMatch: .notOlderThan, sendInitialEvents: true))
        #expect(
            streaming.target
                == "/api/v1/pods?watch=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&sendInitialEvents=true")
    }

    @Test func patchesCarryTheirMediaTypeAndManager() throws {
        let key = ObjectKey(namespace: "a", name: "x")
        let cases: [(Patch, String, String, Bool)] = [
            (.merge(["a": 1]), "application/merge-patch+json", "?fieldManager=me", false),
            (.json([["op": "remove", "path": "/a"]]), "application/json-patch+json", "?fieldManager=me", false),
            (.strategic(["a": 1]), "application/strategic-merge-patch+json", "?fieldManager=me", false),
            (.apply(["a": 1], manager: "assay", force: true), "application/apply-patch+yaml", "?fieldManager=assay&force=true", true),
            (.apply(["a": 1], manager: "assay", force: false), "application/apply-patch+yaml", "?fieldManager=assay", true),
        ]
        for (patch, type, query, idempotent) in cases {
            let request = try KubeRequest.patch(.pods, key, patch, subresource: "status", fieldManager: "me")
            #expect(request.contentType == type)
            #expect(request.target == "/api/v1/namespaces/a/pods/x/status" + query)
            #expect(request.isIdempotent == idempotent)
            #expect(request.body == patch.body.serialized())
        }
    }

    @Test func writesGoWhereTheObjectSays() throws {
        let pod: JSONValue = ["metadata": ["name": "x", "namespace": "a"]]
        #expect(try KubeRequest.create(.pods, pod).target == "/api/v1/namespaces/a/pods")
        #expect(
            try KubeRequest.create(.pods, pod, namespace: "b", dryRun: true, fieldValidation: "Strict").target
                == "/api/v1/namespaces/b/pods?dryRun=All&fieldValidation=Strict")
        #expect(try KubeRequest.create(.namespaces, ["metadata": ["name": "n"]]).target == "/api/v1/namespaces")
        #expect(try KubeRequest.update(.pods, pod).target == "/api/v1/namespaces/a/pods/x")
        #expect(throws: KubeRequestError.self) { try KubeRequest.create(.pods, ["metadata": ["name": "x"]]) }
        #expect(throws: KubeRequestError.self) { try KubeRequest.update(.pods, ["metadata": ["namespace": "a"]]) }
    }

    @Test func deletesSayHow() throws {
        let key = ObjectKey(namespace: "a", name: "x")
        #expect(try KubeRequest.delete(.pods, key).body == nil)
        let body = try #require(
            try KubeRequest.delete(
                .pods, key,
                options: DeleteOptions(gracePeriodSeconds: 0, propagation: .background, uid: "u", resourceVersion: "7")
            ).body)
        #expect(
            try JSONValue(parsing: body) == [
                "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0, "propagationPolicy": "Background",
                "preconditions": ["uid": "u", "resourceVersion": "7"],
            ])
    }

    @Test func logs() throws {
        let request = try KubeRequest.podLog(
            ObjectKey(namespace: "a", name: "x"), container: "trial",
            options: LogOptions(follow: true, tailLines: 5, limitBytes: 100, sinceSeconds: 9, previous: true))
        #expect(
            request.target
                == "/api/v1/namespaces/a/pods/x/log?container=trial&follow=true&tailLines=5&limitBytes=100&sinceSeconds=9&previous=true")
    }
}
