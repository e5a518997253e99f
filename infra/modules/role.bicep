// The custom role with the least rights, made and assigned in one subscription that holds gateways.
targetScope = 'subscription'

@description('Name of the environment: role names are unique in a tenant.')
param environmentName string

@description('Object ID of the app\'s identity.')
param principalId string

var definition = loadJsonContent('../roles/cmg-migrator.json')

resource role 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, environmentName, 'cmg-migrator')
  properties: {
    roleName: '${definition.roleName} (${environmentName}, ${take(subscription().subscriptionId, 8)})'
    description: definition.description
    type: 'CustomRole'
    permissions: definition.permissions
    assignableScopes: [subscription().id]
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, principalId, role.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: role.id
  }
}
