extension BuiltinTypes {
    /// core/v1: a pod's volumes and its status.
    static let podPartTypes = """
        package io.k8s.api.core.v1
        Volume
          name string!
          hostPath HostPathVolumeSource
          emptyDir EmptyDirVolumeSource
          secret SecretVolumeSource
          configMap ConfigMapVolumeSource
          persistentVolumeClaim PersistentVolumeClaimVolumeSource
          projected any
          downwardAPI any
          ephemeral any
          csi any
          nfs any
          image any
          gitRepo any
          iscsi any
          rbd any
          cephfs any
          glusterfs any
          fc any
          flexVolume any
          flocker any
          azureFile any
          azureDisk any
          awsElasticBlockStore any
          gcePersistentDisk any
          vsphereVolume any
          portworxVolume any
          quobyte any
          scaleIO any
          storageos any
          photonPersistentDisk any
          cinder any
        HostPathVolumeSource
          path string!
          type *string
        EmptyDirVolumeSource
          medium string
          sizeLimit quantity
        SecretVolumeSource
          secretName string
          items []KeyToPath
          defaultMode *int32
          optional *bool
        ConfigMapVolumeSource
          name string
          items []KeyToPath
          defaultMode *int32
          optional *bool
        KeyToPath
          key string!
          path string!
          mode *int32
        PersistentVolumeClaimVolumeSource
          claimName string!
          readOnly bool
        PodStatus
          observedGeneration int64
          phase string
          conditions []PodCondition map=type merge=type
          message string
          reason string
          nominatedNodeName string
          hostIP string
          hostIPs []IP merge=ip
          podIP string
          podIPs []IP map=ip merge=ip
          startTime time
          initContainerStatuses []ContainerStatus
          containerStatuses []ContainerStatus
          ephemeralContainerStatuses []ContainerStatus
          qosClass string
          resize string
          resourceClaimStatuses []any
          allocatedResources map[quantity]
          resources ResourceRequirements
          extendedResourceClaimStatus any
        IP
          ip string!
        PodCondition
          type string!
          status string!
          observedGeneration int64
          lastProbeTime time
          lastTransitionTime time
          reason string
          message string
        ContainerStatus
          name string!
          state ContainerState
          lastState ContainerState
          ready bool!
          restartCount int32!
          image string!
          imageID string!
          containerID string
          started *bool
          allocatedResources map[quantity]
          resources ResourceRequirements
          volumeMounts []any
          user any
          allocatedResourcesStatus []any
          stopSignal *string
        ContainerState
          waiting ContainerStateWaiting
          running ContainerStateRunning
          terminated ContainerStateTerminated
        ContainerStateWaiting
          reason string
          message string
        ContainerStateRunning
          startedAt time
        ContainerStateTerminated
          exitCode int32!
          signal int32
          reason string
          message string
          startedAt time
          finishedAt time
          containerID string
        Binding
          kind string
          apiVersion string
          metadata ObjectMeta
          target ObjectReference!
        """
}
