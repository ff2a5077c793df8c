extension BuiltinTypes {
    /// apps, rbac, networking and discovery: kinds that are only stored; nothing in this server acts on them.
    static let workloadTypes = """
        package io.k8s.api.apps.v1
        Deployment
          kind string
          apiVersion string
          metadata ObjectMeta
          spec DeploymentSpec
          status any
        DeploymentSpec
          replicas *int32
          selector LabelSelector!
          template PodTemplateSpec!
          strategy any
          minReadySeconds int32
          revisionHistoryLimit *int32
          paused bool
          progressDeadlineSeconds *int32
        DaemonSet
          kind string
          apiVersion string
          metadata ObjectMeta
          spec DaemonSetSpec
          status any
        DaemonSetSpec
          selector LabelSelector!
          template PodTemplateSpec!
          updateStrategy any
          minReadySeconds int32
          revisionHistoryLimit *int32

        package io.k8s.api.rbac.v1
        Role
          kind string
          apiVersion string
          metadata ObjectMeta
          rules []PolicyRule!
        ClusterRole
          kind string
          apiVersion string
          metadata ObjectMeta
          rules []PolicyRule!
          aggregationRule any
        PolicyRule
          verbs []string!
          apiGroups []string
          resources []string
          resourceNames []string
          nonResourceURLs []string
        RoleBinding
          kind string
          apiVersion string
          metadata ObjectMeta
          subjects []Subject
          roleRef RoleRef!
        ClusterRoleBinding
          kind string
          apiVersion string
          metadata ObjectMeta
          subjects []Subject
          roleRef RoleRef!
        Subject
          kind string!
          apiGroup string
          name string!
          namespace string
        RoleRef
          apiGroup string
          kind string!
          name string!

        package io.k8s.api.networking.v1
        NetworkPolicy
          kind string
          apiVersion string
          metadata ObjectMeta
          spec NetworkPolicySpec
        NetworkPolicySpec
          podSelector LabelSelector
          ingress []any
          egress []any
          policyTypes []string

        package io.k8s.api.discovery.v1
        EndpointSlice
          kind string
          apiVersion string
          metadata ObjectMeta
          addressType string!
          endpoints []any
          ports []any
        """
}
