// The vault of the app's own keys, which the hook of azure.yaml makes after this: what messages are sealed and callbacks
// are signed with. It holds no certificate of a gateway.

@description('Name of the vault.')
@maxLength(24)
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Object ID of the app\'s identity.')
param principalId string

@description('Resource ID of the workspace that the audit log goes to.')
param workspaceId string

@description('No access from the internet: only through the private endpoint.')
param privateOnly bool

@description('The VM extension that makes a gateway of an instance, as JSON. Empty: no such secret is made.')
@secure()
param gatewaySoftware string

@description('Object ID of whoever makes the keys in the vault after it is made. Empty: somebody else gives that right.')
param deployerId string

@description('What that is: User, ServicePrincipal (a pipeline) or Group. Azure looks nothing up then: what was made seconds ago may not be found yet.')
@allowed(['User', 'ServicePrincipal', 'Group'])
param deployerType string

var keyVaultSecretsUser = '4633458b-17de-408a-b874-0445c86b69e6'
var keyVaultSecretsOfficer = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'

resource vault 'Microsoft.KeyVault/vaults@2023-07-01' = {
  // checkov:skip=CKV_AZURE_189: it cannot read a condition; public access is off with privateNetwork=true
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: subscription().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enablePurgeProtection: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: privateOnly ? 'Deny' : 'Allow'
    }
  }
}

resource software 'Microsoft.KeyVault/vaults/secrets@2023-07-01' = if (!empty(gatewaySoftware)) {
  parent: vault
  name: 'gateway-software'
  properties: {
    value: gatewaySoftware
    contentType: 'application/json'
  }
}

resource reader 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, principalId, keyVaultSecretsUser)
  scope: vault
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsUser)
  }
}

resource maker 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(deployerId)) {
  name: guid(vault.id, deployerId, keyVaultSecretsOfficer)
  scope: vault
  properties: {
    principalId: deployerId
    principalType: deployerType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', keyVaultSecretsOfficer)
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}

@description('Resource ID.')
output id string = vault.id

@description('Name of the vault.')
output name string = vault.name

@description('Address of the vault, with a slash at its end.')
output uri string = vault.properties.vaultUri
