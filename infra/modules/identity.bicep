// The app's identity. User-assigned, so that its rights outlive a new function app.

@description('Name of the identity.')
param name string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

@description('Resource ID.')
output id string = identity.id

@description('Object ID, for role assignments.')
output principalId string = identity.properties.principalId

@description('Client ID, for the app\'s settings.')
output clientId string = identity.properties.clientId
