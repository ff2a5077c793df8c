import Base

/// Decides whether a pod fits on the one node, and says why not in the scheduler's words.
enum SchedulingRules {
    struct Node: Sendable {
        var name: String
        var labels: [String: String]
        var allocatable: [String: ResourceQuantity]
    }

    /// - Parameter others: the pods that are on the node and have not ended.
    /// - Returns: nil when the pod can run.
    static func refusal(of pod: NodePod, on node: Node, beside others: [NodePod]) -> String? {
        var reasons: [String] = []
        if !pod.nodeSelector.allSatisfy({ node.labels[$0.key] == $0.value }) || pod.hasRequiredNodeAffinity {
            reasons.append("1 node(s) didn't match Pod's node affinity/selector")
        } else {
            if others.count + 1 > node.allocatable["pods"]?.whole ?? 110 { reasons.append("1 Too many pods") }
            for (resource, wanted) in requests(of: pod).sorted(by: { $0.key < $1.key }) where wanted.thousandths > 0 {
                let used = others.reduce(ResourceQuantity(0)) { $0 + (requests(of: $1)[resource] ?? ResourceQuantity(0)) }
                if used + wanted > node.allocatable[resource] ?? ResourceQuantity(0) { reasons.append("1 Insufficient \(resource)") }
            }
        }
        guard !reasons.isEmpty else { return nil }
        return "0/1 nodes are available: \(reasons.joined(separator: ", ")). no new claims to deallocate, preemption: "
            + "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    }

    /// The sum over the containers, or the amount of the largest init container if that is larger.
    static func requests(of pod: NodePod) -> [String: ResourceQuantity] {
        var sum: [String: ResourceQuantity] = [:]
        for container in pod.containers + pod.initContainers.filter(\.isSidecar) {
            for resource in names(container) {
                sum[resource, default: ResourceQuantity(0)] =
                    (sum[resource] ?? ResourceQuantity(0)) + (container.request(resource) ?? ResourceQuantity(0))
            }
        }
        for container in pod.initContainers where !container.isSidecar {
            for resource in names(container) {
                sum[resource] = max(sum[resource] ?? ResourceQuantity(0), container.request(resource) ?? ResourceQuantity(0))
            }
        }
        return sum
    }

    private static func names(_ container: NodeContainer) -> Set<String> {
        Set((container.resources["requests"]?.object ?? [:]).keys).union((container.resources["limits"]?.object ?? [:]).keys)
    }
}
