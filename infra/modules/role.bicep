// The custom roles with the least rights, made in one subscription that holds gateways, and assigned there.
targetScope = 'subscription'

@description('Name of the environment: role names are unique in a tenant.')
param environmentName string

@description('Object ID of the app\'s identity.')
param principalId string

@description('Assign the roles on the whole subscription. false: only make them, for who assigns them to groups, zones and vaults.')
param assign bool

// loadJsonContent takes no variable: one line a role.
var roles = [
  loadJsonContent('../roles/cmg-migrator-subscription.json')
  loadJsonContent('../roles/cmg-migrator-new-gateway.json')
  loadJsonContent('../roles/cmg-migrator-old-gateway.json')
  loadJsonContent('../roles/cmg-migrator-vault.json')
  loadJsonContent('../roles/cmg-migrator-zone.json')
]

var assigned = assign ? roles : []
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
