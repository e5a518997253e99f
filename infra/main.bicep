// The whole app in one deployment: `azd up`, or `az deployment sub create`. What it makes, and what it does not, stands
// in README.md beside this file.
targetScope = 'subscription'

@description('Name of the environment: a part of every name that is made here.')
@minLength(2)
@maxLength(20)
param environmentName string

@description('Azure region of the app. The gateways may lie in any other.')
param location string

@description('Functions plan: flex (Flex Consumption, scales to zero) or premium (Elastic Premium, where Flex is not offered).')
@allowed(['flex', 'premium'])
param plan string = 'flex'

@description('Most instances that Flex Consumption may start. Azure takes 40 to 1000.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Memory of each Flex Consumption instance, in MB.')
@allowed([512, 2048, 4096])
param instanceMemory int = 2048

@description('Instances kept warm for HTTP calls, which answers the first call of the day sooner. Each costs money all the time.')
@minValue(0)
@maxValue(20)
param alwaysReadyHttp int = 0

@description('IDs of the subscriptions whose gateways the app may move, with commas between them. The custom roles are made in each. Empty: the app\'s own. none: customers\' tenants only.')
param gatewaySubscriptions string = ''

@description('Resource groups in which the app may make gateways: full IDs with commas between them, each group there already, in one of those subscriptions. Empty: it makes none.')
param newGatewayGroups string = ''

@description('Resource groups in which it may remove old gateways, in the same way. Best for the time of a migration.')
param oldGatewayGroups string = ''

@description('Resource groups of the vaults whose certificates it may read and hand on to instances, in the same way.')
param vaultGroups string = ''

@description('Resource groups of the DNS zones whose CNAME records it may change, in the same way.')
param zoneGroups string = ''

@description('Some old gateway is a classic cloud service: make the roles for these, too. Azure may refuse them (infra/README.md, Rights).')
param classicGateways bool = false

@description('Where the custom roles are assigned. groups: looking on the subscriptions, all else on the groups given. subscriptions: everything, removing too, on the whole subscriptions. none: you assign them.')
@allowed(['groups', 'subscriptions', 'none'])
param assignRoles string = 'groups'

@description('The cloud that the gateways run in.')
@allowed(['public', 'usgovernment'])
param gatewayCloud string = 'public'

@description('The VM extension that makes a gateway of an instance, as JSON (CMG_GATEWAY_SOFTWARE), or that JSON in base64. Empty where the site makes all gateways.')
@secure()
param gatewaySoftware string = ''

@description('DNS servers that see the internet\'s view, with a comma between them. Empty for public resolvers and the zones\' own servers.')
param dnsServers string = ''

@description('Client ID of the multi-tenant app for customers\' tenants (docs/service-providers.md). Empty where there is none.')
param customerApp string = ''

@description('Client ID of the app registration that callers sign in to (docs/roles.md). Empty: function keys only.')
param callerApp string = ''

@description('Have App Service check callers\' tokens, too, before the app does: it takes those of the home tenant only.')
param appServiceSignIn bool = false

@description('IDs of all tenants whose principals may call, the home tenant\'s too, with commas between them. Empty: the home tenant alone.')
param authTenants string = ''

@description('What holders of function keys may, of reader, requester, approver and operator, with commas between them; or none: signed-in callers only. Empty: reader and requester.')
param keyRoles string = ''

@description('Who asks for a deployment may not approve it, and every request has the gate approval.')
param separateDuties bool = false

@description('Host names that events may be posted to, with commas between them. Empty: any public host on 443.')
param callbackHosts string = ''

@description('Shortest grace period that a request may name, as an ISO 8601 duration of a day or more. Empty: P1D.')
param minimumGrace string = ''

@description('Path that a gateway is probed at. Empty: the app\'s own choice.')
param probePath string = ''

@description('How many seconds a run may write on one claim. Empty: 300.')
param claimSeconds string = ''

@description('Object ID of whoever runs the deployment: gets the right to make the app\'s own keys in the vault. Empty: nobody gets it.')
param deployerId string = ''

@description('What that is. azd says it: User, or ServicePrincipal in a pipeline.')
@allowed(['User', 'ServicePrincipal', 'Group'])
param deployerType string = 'User'

@description('Put storage and vault behind private endpoints, and the app into a virtual network.')
param privateNetwork bool = false

@description('Address space of that virtual network.')
param addressPrefix string = '10.71.0.0/24'

@description('The part of it that the app calls out of: a /27 or larger.')
param appPrefix string = '10.71.0.0/26'

@description('The part of it that holds the private endpoints.')
param endpointPrefix string = '10.71.0.64/26'

@description('Redundancy of the storage account. A region without availability zones takes Standard_LRS or Standard_GRS.')
@allowed(['Standard_LRS', 'Standard_GRS', 'Standard_ZRS', 'Standard_GZRS'])
param storageRedundancy string = 'Standard_ZRS'

@description('Who is told of alerts, as e-mail addresses with commas between them. Empty: nobody, the alerts stand in Azure Monitor only.')
param alertEmails string = ''

@description('Monthly budget of the app\'s resource group, in the subscription\'s currency. 0: no budget.')
@minValue(0)
param monthlyBudget int = 0

@description('First day of the budget\'s first month, as 2026-11-01: needed with a budget. Azure makes none for a month that has passed, and never changes the day: leave it when you deploy again.')
param budgetStart string = ''

@description('How many days logs are kept.')
@minValue(30)
@maxValue(730)
param logRetention int = 90

@description('Keep the storage account from being deleted: it holds the ledger.')
param lockStorage bool = true

var tags = { 'azd-env-name': environmentName, product: 'cmg-migrate' }
// azd takes names with these; workspaces, plans and apps do not.
var plainName = replace(replace(environmentName, '_', '-'), '.', '-')
var emails = alertEmails == '' ? [] : split(replace(alertEmails, ' ', ''), ',')
var ownSubscription = gatewaySubscriptions == '' ? subscription().subscriptionId : gatewaySubscriptions
var subscriptions = gatewaySubscriptions == 'none' ? [] : split(toLower(replace(ownSubscription, ' ', '')), ',')
var onGroups = assignRoles == 'groups'
var groupsToMakeIn = onGroups && newGatewayGroups != '' ? split(replace(newGatewayGroups, ' ', ''), ',') : []
var groupsToRemoveIn = onGroups && oldGatewayGroups != '' ? split(replace(oldGatewayGroups, ' ', ''), ',') : []
var groupsWithVaults = onGroups && vaultGroups != '' ? split(replace(vaultGroups, ' ', ''), ',') : []
var groupsWithZones = onGroups && zoneGroups != '' ? split(replace(zoneGroups, ' ', ''), ',') : []
var removingRoles = concat(
  [loadJsonContent('roles/cmg-migrator-old-gateway.json').Name],
  classicGateways ? [loadJsonContent('roles/cmg-migrator-classic-gateway.json').Name] : []
)
var token = toLower(uniqueString(subscription().id, environmentName, location))

resource group 'Microsoft.Resources/resourceGroups@2022-09-01' = {
  name: 'rg-cmg-migrate-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    name: 'id-cmg-${plainName}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-cmg-${plainName}'
    insightsName: 'appi-cmg-${environmentName}'
    location: location
    tags: tags
    retentionDays: logRetention
    principalId: identity.outputs.principalId
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    name: 'vnet-cmg-${environmentName}'
    location: location
    tags: tags
    addressPrefix: addressPrefix
    appPrefix: appPrefix
    endpointPrefix: endpointPrefix
    delegateTo: plan == 'flex' ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'stcmg${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    privateOnly: privateNetwork
    locked: lockStorage
    redundancy: storageRedundancy
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-cmg-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    privateOnly: privateNetwork
    gatewaySoftware: empty(gatewaySoftware) || startsWith(gatewaySoftware, '{') ? gatewaySoftware : base64ToString(gatewaySoftware)
    deployerId: deployerId
    deployerType: deployerType
  }
}

module endpoints 'modules/private-endpoints.bicep' = if (privateNetwork) {
  name: 'private-endpoints'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: privateNetwork ? network.outputs.networkId : ''
    subnetId: privateNetwork ? network.outputs.endpointSubnetId : ''
    storageId: storage.outputs.id
    storageName: storage.outputs.name
    vaultId: vault.outputs.id
    vaultName: vault.outputs.name
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    name: 'func-cmg-${plainName}-${take(token, 6)}'
    planName: 'plan-cmg-${plainName}'
    location: location
    tags: union(tags, { 'azd-service-name': 'app' })
    plan: plan
    maximumInstances: maximumInstances
    instanceMemory: instanceMemory
    alwaysReadyHttp: alwaysReadyHttp
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    vaultUri: vault.outputs.uri
    hasGatewaySoftware: !empty(gatewaySoftware)
    insightsConnection: monitoring.outputs.insightsConnection
    workspaceId: monitoring.outputs.workspaceId
    subnetId: privateNetwork ? network.outputs.appSubnetId : ''
    gatewayCloud: gatewayCloud
    dnsServers: dnsServers
    customerApp: customerApp
    callerApp: callerApp
    appServiceSignIn: appServiceSignIn
    authTenants: authTenants
    keyRoles: keyRoles
    separateDuties: separateDuties
    callbackHosts: callbackHosts
    minimumGrace: minimumGrace
    probePath: probePath
    claimSeconds: claimSeconds
  }
  dependsOn: [endpoints]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    emails: emails
  }
}

module budget 'modules/budget.bicep' = if (monthlyBudget > 0) {
  name: 'budget'
  scope: group
  params: {
    amount: monthlyBudget
    startDate: budgetStart
    emails: emails
  }
}

// A deployment in a subscription never changes its location: another region, another name.
module roles 'modules/roles.bicep' = [for id in subscriptions: {
  name: 'role-${environmentName}-${uniqueString(id, location)}'
  scope: subscription(id)
  params: {
    environmentName: environmentName
    principalId: identity.outputs.principalId
    assign: assignRoles
    classicGateways: classicGateways
  }
}]

// An ID is /subscriptions/<subscription>/resourceGroups/<name>.
module rolesToMake 'modules/roles-on-group.bicep' = [for id in groupsToMakeIn: {
  name: 'role-new-${environmentName}-${uniqueString(id)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    environmentName: environmentName
    principalId: identity.outputs.principalId
    roleNames: [loadJsonContent('roles/cmg-migrator-new-gateway.json').Name]
  }
  dependsOn: [roles]
}]

module rolesToRemove 'modules/roles-on-group.bicep' = [for id in groupsToRemoveIn: {
  name: 'role-old-${environmentName}-${uniqueString(id)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    environmentName: environmentName
    principalId: identity.outputs.principalId
    roleNames: removingRoles
  }
  dependsOn: [roles]
}]

module rolesOnVaults 'modules/roles-on-group.bicep' = [for id in groupsWithVaults: {
  name: 'role-vault-${environmentName}-${uniqueString(id)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    environmentName: environmentName
    principalId: identity.outputs.principalId
    roleNames: [loadJsonContent('roles/cmg-migrator-vault.json').Name]
  }
  dependsOn: [roles]
}]

module rolesOnZones 'modules/roles-on-group.bicep' = [for id in groupsWithZones: {
  name: 'role-zone-${environmentName}-${uniqueString(id)}'
  scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
  params: {
    environmentName: environmentName
    principalId: identity.outputs.principalId
    roleNames: [loadJsonContent('roles/cmg-migrator-zone.json').Name]
  }
  dependsOn: [roles]
}]

@description('Where the app answers.')
output AZURE_APP_URL string = app.outputs.url

@description('The function app\'s name.')
output AZURE_APP_NAME string = app.outputs.name

@description('The resource group that holds it all.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The vault of the app\'s own keys: the hook of azure.yaml makes them there.')
output AZURE_KEY_VAULT_NAME string = vault.outputs.name

@description('The storage account\'s name: with plan=premium the app\'s package goes into it.')
output AZURE_STORAGE_NAME string = storage.outputs.name

@description('The app\'s identity: what to give rights in DNS zones, vaults and customers\' tenants.')
output CMG_PRINCIPAL_ID string = identity.outputs.principalId
