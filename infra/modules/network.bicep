// The virtual network: one subnet that the app calls out of, one for the private endpoints.

@description('Name of the virtual network.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Address space.')
param addressPrefix string

@description('The part of it that the app calls out of: a /27 or larger.')
param appPrefix string

@description('The part of it that holds the private endpoints.')
param endpointPrefix string

@description('Which service the app\'s subnet is delegated to: it differs by plan.')
@allowed(['Microsoft.App/environments', 'Microsoft.Web/serverFarms'])
param delegateTo string

resource guards 'Microsoft.Network/networkSecurityGroups@2024-05-01' = {
  name: 'nsg-${name}'
  location: location
  tags: tags
  properties: {
    securityRules: [
      {
        name: 'deny-from-internet'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'Internet'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressPrefix] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: appPrefix
          networkSecurityGroup: { id: guards.id }
          delegations: [{ name: 'functions', properties: { serviceName: delegateTo } }]
        }
      }
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: endpointPrefix
          networkSecurityGroup: { id: guards.id }
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }
}

@description('Resource ID of the network.')
output networkId string = network.id

@description('Resource ID of the app\'s subnet.')
output appSubnetId string = '${network.id}/subnets/app'

@description('Resource ID of the subnet of the private endpoints.')
output endpointSubnetId string = '${network.id}/subnets/private-endpoints'
