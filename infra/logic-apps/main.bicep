// A Logic App (Consumption) that moves a gateway for a ticket: docs/logic-apps.md. Not a part of the app's own deployment.
@description('Name of the Logic App.')
param name string = 'logic-cmg-migrate'

@description('Azure region of the Logic App.')
param location string = resourceGroup().location

@description('How it waits for the end: a post of the app to the Logic App (webhook), or polls (polling).')
@allowed(['webhook', 'polling'])
param waitsBy string = 'webhook'

@description('Where the app is, with /api.')
param api string

@description('Application ID URI of the app\'s registration in Microsoft Entra ID.')
param audience string

@description('Where tickets take comments, approvals and their close.')
param tickets string

@description('The header Authorization for the ticket system.')
@secure()
param ticketsAuthorization string

@description('IP ranges that may call the trigger. Empty: nobody but other Logic Apps.')
param callers array = []

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    accessControl: {
      triggers: {
        allowedCallerIpAddresses: [for range in callers: {
          addressRange: range
        }]
      }
    }
    definition: waitsBy == 'webhook' ? loadJsonContent('migrate-gateway.json') : loadJsonContent('migrate-gateway-polling.json')
    parameters: {
      api: {
        value: api
      }
      audience: {
        value: audience
      }
      tickets: {
        value: tickets
      }
      tickets_authorization: {
        value: ticketsAuthorization
      }
    }
  }
}

@description('The managed identity, which needs the app role Cmg.Requester.')
output principalId string = workflow.identity.principalId
