// The custom roles that make, hand on, point and remove, assigned on one resource group and nowhere wider. roles.bicep makes them.

@description('Name of the environment: a part of the roles\' IDs.')
param environmentName string

@description('Object ID of the app\'s identity.')
param principalId string

@description('Whether old gateways are classic cloud services.')
param classicGateways bool

// loadJsonContent takes no variable: one line a role.
var roles = [
  loadJsonContent('../roles/cmg-migrator-new-gateway.json')
  loadJsonContent('../roles/cmg-migrator-old-gateway.json')
  loadJsonContent('../roles/cmg-migrator-vault.json')
  loadJsonContent('../roles/cmg-migrator-zone.json')
]

var classicRoles = [loadJsonContent('../roles/cmg-migrator-classic-gateway.json')]

var definitionType = 'Microsoft.Authorization/roleDefinitions'

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in concat(roles, classicGateways ? classicRoles : []): {
  name: guid(resourceGroup().id, principalId, environmentName, role.Name)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(definitionType, guid(subscription().id, environmentName, role.Name))
  }
}]
