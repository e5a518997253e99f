// The custom roles with the least rights, made in one subscription that holds gateways, and assigned there as far as asked.
targetScope = 'subscription'

@description('Name of the environment: role names are unique in a tenant.')
param environmentName string

@description('Object ID of the app\'s identity.')
param principalId string

@description('Whether old gateways are classic cloud services: the roles for them are made, too.')
param classicGateways bool

@description('What is assigned on the whole subscription: groups (looking only), subscriptions (everything) or none.')
param assign string

// loadJsonContent takes no variable: one line a role. The first looks at everything, and registers resource providers.
var roles = [
  loadJsonContent('../roles/cmg-migrator-subscription.json')
  loadJsonContent('../roles/cmg-migrator-new-gateway.json')
  loadJsonContent('../roles/cmg-migrator-old-gateway.json')
  loadJsonContent('../roles/cmg-migrator-vault.json')
  loadJsonContent('../roles/cmg-migrator-zone.json')
]

// Apart, as Azure refuses a role whole for one action that it does not know, and it knows these no longer everywhere.
var classicRoles = [
  loadJsonContent('../roles/cmg-migrator-classic-subscription.json')
  loadJsonContent('../roles/cmg-migrator-classic-gateway.json')
]

var made = concat(roles, classicGateways ? classicRoles : [])
var looking = assign == 'groups' ? concat(take(roles, 1), classicGateways ? take(classicRoles, 1) : []) : []
var assigned = assign == 'subscriptions' ? made : looking
var definitionType = 'Microsoft.Authorization/roleDefinitions'

resource definitions 'Microsoft.Authorization/roleDefinitions@2022-04-01' = [for role in made: {
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
