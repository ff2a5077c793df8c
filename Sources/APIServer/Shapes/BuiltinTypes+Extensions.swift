extension BuiltinTypes {
    /// apiextensions/v1: definitions of custom resources.
    static let extensionTypes = """
        package io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1
        CustomResourceDefinition
          kind string
          apiVersion string
          metadata ObjectMeta
          spec CustomResourceDefinitionSpec!
          status CustomResourceDefinitionStatus
        CustomResourceDefinitionSpec
          group string!
          names CustomResourceDefinitionNames!
          scope string!
          versions []CustomResourceDefinitionVersion!
          conversion any
          preserveUnknownFields bool
        CustomResourceDefinitionNames
          plural string!
          singular string
          shortNames []string
          kind string!
          listKind string
          categories []string
        CustomResourceDefinitionVersion
          name string!
          served bool!
          storage bool!
          deprecated bool
          deprecationWarning *string
          schema CustomResourceValidation
          subresources CustomResourceSubresources
          additionalPrinterColumns []CustomResourceColumnDefinition
          selectableFields []SelectableField
        SelectableField
          jsonPath string!
        CustomResourceValidation
          openAPIV3Schema JSONSchemaProps
        CustomResourceSubresources
          status any
          scale any
        CustomResourceColumnDefinition
          name string!
          type string!
          format string
          description string
          priority int32
          jsonPath string!
        CustomResourceDefinitionStatus
          conditions []CustomResourceDefinitionCondition map=type
          acceptedNames CustomResourceDefinitionNames
          storedVersions []string
          observedGeneration int64
        CustomResourceDefinitionCondition
          type string!
          status string!
          observedGeneration int64
          lastTransitionTime time
          reason string
          message string
        JSONSchemaProps
          id string
          $schema string
          $ref *string
          description string
          type string
          format string
          title string
          default any
          maximum *number
          exclusiveMaximum bool
          minimum *number
          exclusiveMinimum bool
          maxLength *int64
          minLength *int64
          pattern string
          maxItems *int64
          minItems *int64
          uniqueItems bool
          multipleOf *number
          enum []any
          maxProperties *int64
          minProperties *int64
          required []string
          items any
          allOf []JSONSchemaProps
          oneOf []JSONSchemaProps
          anyOf []JSONSchemaProps
          not JSONSchemaProps
          properties map[JSONSchemaProps]
          additionalProperties any
          patternProperties map[JSONSchemaProps]
          dependencies any
          additionalItems any
          definitions map[JSONSchemaProps]
          externalDocs any
          example any
          nullable bool
          x-kubernetes-preserve-unknown-fields *bool
          x-kubernetes-embedded-resource bool
          x-kubernetes-int-or-string bool
          x-kubernetes-list-map-keys []string
          x-kubernetes-list-type *string
          x-kubernetes-map-type *string
          x-kubernetes-validations []ValidationRule map=rule merge=rule
        ValidationRule
          rule string!
          message string
          messageExpression string
          reason *string
          fieldPath string
          optionalOldSelf *bool
        """
}
