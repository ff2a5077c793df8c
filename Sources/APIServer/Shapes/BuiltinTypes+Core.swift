extension BuiltinTypes {
    /// core/v1, coordination and authorization: the small kinds.
    static let coreTypes = """
        package io.k8s.api.core.v1
        ObjectReference atomic
          kind string
          namespace string
          name string
          uid string
          apiVersion string
          resourceVersion string
          fieldPath string
        Namespace
          kind string
          apiVersion string
          metadata ObjectMeta
          spec NamespaceSpec
          status NamespaceStatus
        NamespaceSpec
          finalizers []string
        NamespaceStatus
          phase string
          conditions []NamespaceCondition map=type merge=type
        NamespaceCondition
          type string!
          status string!
          lastTransitionTime time
          reason string
          message string
        ConfigMap
          kind string
          apiVersion string
          metadata ObjectMeta
          immutable *bool
          data map[string]
          binaryData map[bytes]
        Secret
          kind string
          apiVersion string
          metadata ObjectMeta
          immutable *bool
          data map[bytes]
          stringData map[string]
          type string
        ServiceAccount
          kind string
          apiVersion string
          metadata ObjectMeta
          secrets []ObjectReference map=name merge=name
          imagePullSecrets []LocalObjectReference
          automountServiceAccountToken *bool
        Event
          kind string
          apiVersion string
          metadata ObjectMeta!
          involvedObject ObjectReference!
          reason string
          message string
          source EventSource
          firstTimestamp time
          lastTimestamp time
          count int32
          type string
          eventTime microTime
          series EventSeries
          action string
          related ObjectReference
          reportingComponent string!
          reportingInstance string!
        EventSource
          component string
          host string
        EventSeries
          count int32
          lastObservedTime microTime
        Node
          kind string
          apiVersion string
          metadata ObjectMeta
          spec NodeSpec
          status NodeStatus
        NodeSpec
          podCIDR string
          podCIDRs []string set merge
          providerID string
          unschedulable bool
          taints []any
          configSource any
          externalID string
        NodeStatus
          capacity map[quantity]
          allocatable map[quantity]
          phase string
          conditions []NodeCondition map=type merge=type
          addresses []NodeAddress map=type merge=type
          daemonEndpoints any
          nodeInfo any
          images []any
          volumesInUse []string
          volumesAttached []any
          config any
          runtimeHandlers []any
          features any
          declaredFeatures []string
        NodeCondition
          type string!
          status string!
          lastHeartbeatTime time
          lastTransitionTime time
          reason string
          message string
        NodeAddress
          type string!
          address string!
        PersistentVolumeClaim
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any
          status any
        Service
          kind string
          apiVersion string
          metadata ObjectMeta
          spec ServiceSpec
          status any
        ServiceSpec
          ports []ServicePort map=port,protocol merge=port
          selector map[string]
          clusterIP string
          clusterIPs []string
          type string
          externalIPs []string
          sessionAffinity string
          loadBalancerIP string
          loadBalancerSourceRanges []string
          externalName string
          externalTrafficPolicy string
          healthCheckNodePort int32
          publishNotReadyAddresses bool
          sessionAffinityConfig any
          ipFamilies []string
          ipFamilyPolicy *string
          allocateLoadBalancerNodePorts *bool
          loadBalancerClass *string
          internalTrafficPolicy *string
          trafficDistribution *string
        ServicePort
          name string
          protocol string
          appProtocol *string
          port int32!
          targetPort intOrString
          nodePort int32
        ResourceQuota
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any
          status any
        LimitRange
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any

        package io.k8s.api.coordination.v1
        Lease
          kind string
          apiVersion string
          metadata ObjectMeta
          spec LeaseSpec
        LeaseSpec
          holderIdentity *string
          leaseDurationSeconds *int32
          acquireTime microTime
          renewTime microTime
          leaseTransitions *int32
          strategy *string
          preferredHolder *string

        package io.k8s.api.policy.v1
        Eviction
          kind string
          apiVersion string
          metadata ObjectMeta
          deleteOptions DeleteOptions
        PodDisruptionBudget
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any
          status any

        package io.k8s.api.authorization.v1
        SelfSubjectAccessReview
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any!
          status any
        SelfSubjectRulesReview
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any!
          status any

        package io.k8s.api.authentication.v1
        SelfSubjectReview
          kind string
          apiVersion string
          metadata ObjectMeta
          status any
        TokenRequest
          kind string
          apiVersion string
          metadata ObjectMeta
          spec any!
          status any
        """
}
