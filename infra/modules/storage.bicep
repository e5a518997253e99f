// One storage account: the ledger's table, the steps' queues, the host's own blobs and the app's package. No shared keys.

@description('Name of the storage account.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Object ID of the app\'s identity.')
param principalId string

@description('Resource ID of the workspace that the diagnostic logs go to.')
param workspaceId string

@description('No access from the internet: only through private endpoints.')
param privateOnly bool

@description('Keep the account from being deleted.')
param locked bool

@description('Redundancy of the account.')
param redundancy string

// cmg_core/plan.py has the steps in their order; a test compares.
var steps = [
  'preflight'
  'register-providers'
  'fetch-certificate'
  'provision-network'
  'provision-scale-set'
  'verify-gateway'
  'cut-over'
  'retire-old-gateway'
  'roll-back'
  'release-name'
]

// Storage Blob Data Owner for the host's own blobs and leases; contributor of data for queues and table.
var dataRoles = [
  'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' = {
  // checkov:skip=CKV_AZURE_43: at random it reads the expression that makes the name, not the name, which a test holds to the rule
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    publicNetworkAccess: privateOnly ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: privateOnly ? 'Deny' : 'Allow'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2023-05-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2023-05-01' = {
  parent: blobs
  name: 'app-package'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource stepQueues 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = [for step in steps: {
  parent: queues
  name: 'cmg-${step}'
}]

// News for those who listen: of no step.
resource newsQueue 'Microsoft.Storage/storageAccounts/queueServices/queues@2023-05-01' = {
  parent: queues
  name: 'cmg-notify'
}

resource tables 'Microsoft.Storage/storageAccounts/tableServices@2023-05-01' = {
  parent: account
  name: 'default'
}

resource ledger 'Microsoft.Storage/storageAccounts/tableServices/tables@2023-05-01' = {
  parent: tables
  name: 'CmgLedger'
}

resource rights 'Microsoft.Authorization/roleAssignments@2022-04-01' = [for role in dataRoles: {
  name: guid(account.id, principalId, role)
  scope: account
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
  }
}]

resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: queues
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'StorageWrite', enabled: true }, { category: 'StorageDelete', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

resource tableLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: tables
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'StorageWrite', enabled: true }, { category: 'StorageDelete', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  name: 'holds-the-ledger'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'The ledger says what may be deleted and what must not. Remove this lock only with the app.'
  }
}

@description('Resource ID.')
output id string = account.id

@description('Name of the account.')
output name string = account.name

@description('Address of the container that holds the app\'s package.')
output packageContainer string = '${account.properties.primaryEndpoints.blob}${packages.name}'
