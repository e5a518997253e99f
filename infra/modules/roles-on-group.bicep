// Custom roles assigned on one resource group and nowhere wider. roles.bicep makes them.

@description('Name of the environment: a part of the roles\' IDs.')
param environmentName string

@description('Object ID of the app\'s identity.')
param principalId string

@description('The roles, as infra/roles names them.')
param roleNames array

var definitionType = 'Microsoft.Authorization/roleDefinitions'

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for roleName in roleNames: {
  name: guid(resourceGroup().id, principalId, environmentName, roleName)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(definitionType, guid(subscription().id, environmentName, roleName))
  }
}]
