// The custom roles with the least rights, made in one subscription that holds gateways, and assigned there as far as asked.
targetScope = 'subscription'

@description('Name of the environment: role names are unique in a tenant.')
param environmentName string

@description('Object ID of the app\'s identity.')
param principalId string

@description('What is assigned on the whole subscription: groups (looking only), subscriptions (everything) or none.')
param assign string

// loadJsonContent takes no variable: one line a role. The first looks, and registers resource providers.
var roles = [
  loadJsonContent('../roles/cmg-migrator-subscription.json')
  loadJsonContent('../roles/cmg-migrator-new-gateway.json')
  loadJsonContent('../roles/cmg-migrator-old-gateway.json')
  loadJsonContent('../roles/cmg-migrator-vault.json')
  loadJsonContent('../roles/cmg-migrator-zone.json')
]

var looking = assign == 'groups' ? take(roles, 1) : []
var assigned = assign == 'subscriptions' ? roles : looking
var definitionType = 'Microsoft.Authorization/roleDefinitions'

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for role in roles: {
  name: guid(subscription().id, environmentName, role.Name)
  properties: {
    roleName: '${role.Name} (${environmentName}, ${take(subscription().subscriptionId, 8)})'
    description: role.Description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.Actions
        notActions: role.NotActions
        dataActions: role.DataActions
        notDataActions: role.NotDataActions
      }
    ]
    assignableScopes: [subscription().id]
  }
}]

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in assigned: {
  name: guid(subscription().id, principalId, environmentName, role.Name)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(definitionType, guid(subscription().id, environmentName, role.Name))
  }
  dependsOn: [definitions]
}]
