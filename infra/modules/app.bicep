// The function app with its plan, settings and sign-in. Nothing in its settings is a secret: those are references to the vault.

@description('Name of the function app: a part of its address.')
param name string

@description('Name of the plan.')
param planName string

@description('Azure region.')
param location string

@description('Tags of every resource.')
param tags object

@description('flex or premium.')
@allowed(['flex', 'premium'])
param plan string

@description('Most instances of Flex Consumption.')
param maximumInstances int

@description('Memory of each instance of Flex Consumption, in MB.')
param instanceMemory int

@description('Instances kept warm for HTTP calls.')
param alwaysReadyHttp int

@description('Resource ID of the app\'s identity.')
param identityId string

@description('Client ID of the app\'s identity.')
param identityClientId string

@description('Name of the storage account.')
param storageName string

@description('Address of the container that holds the app\'s package.')
param packageContainer string

@description('Address of the vault with the app\'s own keys.')
param vaultUri string

@description('Whether the vault holds the VM extension that makes gateways.')
param hasGatewaySoftware bool

@description('Connection string of Application Insights.')
param insightsConnection string

@description('Resource ID of the workspace that the diagnostic logs go to.')
param workspaceId string

@description('Resource ID of the subnet that the app calls out of. Empty: no virtual network.')
param subnetId string

@description('The cloud that the gateways run in.')
param gatewayCloud string

@description('DNS servers that see the internet\'s view, or empty.')
param dnsServers string

@description('Client ID of the multi-tenant app for customers\' tenants, or empty.')
param customerApp string

@description('Client ID of the app registration that callers sign in to, or empty.')
param callerApp string

@description('Have App Service check callers\' tokens before the app does.')
param appServiceSignIn bool

@description('Tenants whose principals may call, or empty.')
param authTenants string

@description('What holders of function keys may, or empty.')
param keyRoles string

@description('Whether who asks may not approve.')
param separateDuties bool

@description('Host names that events may be posted to, or empty.')
param callbackHosts string

@description('Shortest grace period that a request may name, or empty.')
param minimumGrace string

@description('Path that a gateway is probed at, or empty.')
param probePath string

@description('How many seconds a run may write on one claim, or empty.')
param claimSeconds string

var isFlex = plan == 'flex'
var signsIn = appServiceSignIn && !empty(callerApp)

// By its name in the public cloud, whose addresses the host then takes; by its addresses in any other. Never by both, which
// the host refuses.
var hostStorageByAddress = {
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${environment().suffixes.storage}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${environment().suffixes.storage}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${environment().suffixes.storage}'
}
var hostStorage = environment().name == 'AzureCloud' ? { AzureWebJobsStorage__accountName: storageName } : hostStorageByAddress

var storageSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  CmgStorage__queueServiceUri: 'https://${storageName}.queue.${environment().suffixes.storage}'
  CmgStorage__tableServiceUri: 'https://${storageName}.table.${environment().suffixes.storage}'
  CmgStorage__credential: 'managedidentity'
  CmgStorage__clientId: identityClientId
}

var productSettings = {
  CMG_CLIENT_ID: identityClientId
  CMG_TENANT_ID: subscription().tenantId
  CMG_CLOUD: gatewayCloud
  CMG_DNS_SERVERS: dnsServers
  CMG_CUSTOMER_APP: customerApp
  // A token of version 2 is made out to the client ID, one of version 1 to the URI.
  CMG_AUTH_AUDIENCE: empty(callerApp) ? '' : 'api://${callerApp}, ${callerApp}'
  CMG_AUTH_TENANTS: authTenants
  CMG_KEY_ROLES: keyRoles
  CMG_SEPARATE_DUTIES: separateDuties ? 'true' : 'false'
  CMG_CALLBACK_HOSTS: callbackHosts
  CMG_MINIMUM_GRACE: minimumGrace
  CMG_PROBE_PATH: probePath
  CMG_CLAIM_SECONDS: claimSeconds
  CMG_GATEWAY_SOFTWARE: hasGatewaySoftware ? '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/gateway-software)' : ''
  CMG_MESSAGE_KEYS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/message-keys)'
  CMG_CALLBACK_KEYS: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/callback-keys)'
}

var telemetrySettings = {
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnection
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

// Flex Consumption says these in functionAppConfig, and refuses them as settings. Premium keeps a package that is
// uploaded to the app in a file share, which needs a shared key: so it runs from a blob that its identity reads.
var premiumSettings = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'python'
  WEBSITE_RUN_FROM_PACKAGE: '${packageContainer}/app.zip'
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identityId
}

var deploymentByPackage = {
  deployment: {
    storage: {
      type: 'blobContainer'
      value: packageContainer
      authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
    }
  }
  runtime: { name: 'python', version: '3.13' }
  scaleAndConcurrency: {
    maximumInstanceCount: maximumInstances
    instanceMemoryMB: instanceMemory
    alwaysReady: alwaysReadyHttp > 0 ? [{ name: 'http', instanceCount: alwaysReadyHttp }] : []
  }
}

var siteOfBoth = {
  minTlsVersion: '1.2'
  scmMinTlsVersion: '1.2'
  http20Enabled: true
  remoteDebuggingEnabled: false
  cors: { allowedOrigins: [] }
}

// Flex Consumption refuses these in a site's configuration, some regions even where they are null.
var premiumSite = {
  ftpsState: 'Disabled'
  linuxFxVersion: 'Python|3.13'
  healthCheckPath: '/api/health'
}

// Without them Premium reaches no vault, and scales by no queue, behind an endpoint. Flex does both by itself.
var premiumInNetwork = {
  vnetRouteAllEnabled: true
  functionsRuntimeScaleMonitoringEnabled: true
}

resource servers 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: isFlex ? 'functionapp' : 'elastic'
  sku: isFlex ? { name: 'FC1', tier: 'FlexConsumption' } : { name: 'EP1', tier: 'ElasticPremium' }
  properties: isFlex ? { reserved: true } : { reserved: true, maximumElasticWorkerCount: 20 }
}

resource site 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: servers.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: isFlex ? deploymentByPackage : null
    siteConfig: union(siteOfBoth, isFlex ? {} : premiumSite, isFlex || empty(subnetId) ? {} : premiumInNetwork)
  }
}

// Publishing with a user's name and password is off: packages come with an identity. Azure wants the location, though its
// descriptions have none here. What is written on the site is written one after the other: it refuses two at once.
@batchSize(1)
resource passwords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = [for way in ['ftp', 'scm']: {
  parent: site
  name: way
  location: location
  properties: {
    allow: false
  }
}]

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: site
  name: 'appsettings'
  properties: union(hostStorage, storageSettings, productSettings, telemetrySettings, isFlex ? {} : premiumSettings)
  dependsOn: [passwords]
}

var entra = {
  azureActiveDirectory: {
    enabled: true
    registration: {
      clientId: callerApp
      openIdIssuer: '${environment().authentication.loginEndpoint}${subscription().tenantId}/v2.0'
    }
    validation: { allowedAudiences: [callerApp, 'api://${callerApp}'] }
  }
}

// The app checks tokens itself. App Service does so before it where that is asked for, of the home tenant only, and tells
// the app in a header that nobody else can set. Off is said, too: a deployment takes away nothing that it does not name.
resource signIn 'Microsoft.Web/sites/config@2024-04-01' = {
  // checkov:skip=CKV_AZURE_70: takes this for a site, whose httpsOnly it reads; it is set there, and requireHttps here
  parent: site
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: signsIn, runtimeVersion: '~1' }
    globalValidation: { requireAuthentication: false, unauthenticatedClientAction: 'AllowAnonymous' }
    httpSettings: { requireHttps: true }
    identityProviders: signsIn ? entra : {}
    login: { tokenStore: { enabled: false } }
  }
  dependsOn: [settings]
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'to-workspace'
  scope: site
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'FunctionAppLogs', enabled: true }, { category: 'AppServiceAuthenticationLogs', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('Name of the function app.')
output name string = site.name

@description('Where the app answers.')
output url string = 'https://${site.properties.defaultHostName}'
