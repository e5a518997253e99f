// A private endpoint and a private DNS zone for each service that the app reaches: blob, queue, table, vault.

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Resource ID of the virtual network.')
param networkId string

@description('Resource ID of the subnet of the private endpoints.')
param subnetId string

@description('Resource ID of the storage account.')
param storageId string

@description('Name of the storage account.')
param storageName string

@description('Resource ID of the vault.')
param vaultId string

@description('Name of the vault.')
param vaultName string

// The vault's zone is not the vault's suffix with a word before it, in neither cloud.
var vaultZone = environment().name == 'AzureUSGovernment' ? 'privatelink.vaultcore.usgovcloudapi.net' : 'privatelink.vaultcore.azure.net'

var targets = [
  { name: storageName, id: storageId, group: 'blob', zone: 'privatelink.blob.${environment().suffixes.storage}' }
  { name: storageName, id: storageId, group: 'queue', zone: 'privatelink.queue.${environment().suffixes.storage}' }
  { name: storageName, id: storageId, group: 'table', zone: 'privatelink.table.${environment().suffixes.storage}' }
  { name: vaultName, id: vaultId, group: 'vault', zone: vaultZone }
]

resource zones 'Microsoft.Network/privateDnsZones@2020-06-01' = [for target in targets: {
  name: target.zone
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2020-06-01' = [for (target, i) in targets: {
  parent: zones[i]
  name: 'to-the-app'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: networkId }
  }
}]

// One after the other: each writes on the subnet and on its target, and Azure refuses what finds them busy.
@batchSize(1)
resource endpoints 'Microsoft.Network/privateEndpoints@2024-05-01' = [for target in targets: {
  name: 'pe-${target.name}-${target.group}'
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: target.group
        properties: { privateLinkServiceId: target.id, groupIds: [target.group] }
      }
    ]
  }
}]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [for (target, i) in targets: {
  parent: endpoints[i]
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: target.group, properties: { privateDnsZoneId: zones[i].id } }]
  }
}]
